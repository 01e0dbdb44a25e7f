"""Kaplan-Meier estimate of durations with censored observations."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """A duration in seconds; ``ended`` is False for a censored observation."""

    seconds: float
    ended: bool


def survival(waits: Sequence[Wait]) -> Iterator[tuple[float, float]]:
    """Yield (duration, share that lasts longer) at each duration with an end, in rising order.

    At ties, ends precede censorings, as is usual.
    """
    at_risk, share = len(waits), 1.0
    ends = Counter(wait.seconds for wait in waits if wait.ended)
    for seconds, here in sorted(Counter(wait.seconds for wait in waits).items()):
        if seconds in ends:
            share *= 1 - ends[seconds] / at_risk
            yield seconds, share
        at_risk -= here


def quantile(waits: Sequence[Wait], part: float) -> float | None:
    """Return the duration by which ``part`` of the waits have ended, or None if too few have."""
    return next((seconds for seconds, share in survival(waits) if share <= longer_share(part)), None)


def longer_share(part: float) -> float:
    """Return the greatest share that lasts longer at the quantile ``part``, with a tolerance: shares are products."""
    return 1 - part + 1e-9
