"""Record time: the broker's append time, bounded by the time that the exchange stamped on the entry.

A broker whose clock is wrong stamps entries with false times, and record time never goes back: one entry from next year
would let every release expire. So the exchange stamps each entry with its own clock, in a header that the record hash
covers, and an append time counts at most ``BOUND_MS`` after the stamp.
"""

from typing import Final

from handoff.record.header_codec import Headers

STAMP_HEADER: Final = "exchange-time"
"""Header with the exchange's time, in milliseconds since 1970-01-01 UTC, decimal."""

BOUND_MS: Final = 5 * 60 * 1000
"""Maximum by which an entry's append time counts ahead of its stamp, and from which the two clocks are an alarm."""

_DIGITS: Final = 15


def stamped(headers: Headers, now_ms: int) -> Headers:
    """Return ``headers`` with the exchange's stamp."""
    return (*headers, (STAMP_HEADER, str(now_ms).encode()))


def stamp_ms(headers: Headers) -> int | None:
    """Return the exchange's stamp; None without one, or if it is not a plain number."""
    found = [value or b"" for name, value in headers if name == STAMP_HEADER]
    if len(found) != 1 or not found[0].isdigit() or len(found[0]) > _DIGITS:
        return None
    return int(found[0])


def counted_ms(appended_ms: int, headers: Headers) -> int:
    """Return the append time as it counts for record time."""
    stamp = stamp_ms(headers)
    return appended_ms if stamp is None else min(appended_ms, stamp + BOUND_MS)


def skew_ms(appended_ms: int, headers: Headers) -> int:
    """Return by how much the broker's clock was ahead of the exchange's; 0 without a stamp."""
    stamp = stamp_ms(headers)
    return 0 if stamp is None else appended_ms - stamp


def is_plausible(skew: int) -> bool:
    """Return whether the two clocks agree within the bound, in either direction."""
    return abs(skew) <= BOUND_MS
