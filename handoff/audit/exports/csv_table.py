"""The timeline as CSV (RFC 4180), in codes: one line for each entry."""

import csv
import io
import json
from collections.abc import Iterable

from handoff.views.replay.history import ReplayedEntry

COLUMNS = (
    "position",
    "record_time",
    "claimed_time",
    "emitter",
    "type",
    "referral",
    "verdict",
    "reason",
    "sealed",
    "data",
)


def as_csv(entries: Iterable[ReplayedEntry], size: int) -> str:
    """The table of ``entries``, all in codes, ids, numbers and times; what lies below ``size`` is sealed."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(_row(told, size) for told in entries)
    return out.getvalue()


def _row(told: ReplayedEntry, size: int) -> tuple[object, ...]:
    event = told.decoded.event
    said = event.data.model_dump(mode="json", exclude={"referral", "seen"}, exclude_none=True) if event else {}
    return (
        told.position,
        told.at.isoformat(),
        event.time.isoformat() if event else "",
        told.emitter or "",
        event.type if event else "",
        told.referral_id or "",
        told.verdict.kind.value,
        told.verdict.reason or "",
        "yes" if told.position < size else "no",
        json.dumps(said, sort_keys=True) if said else "",
    )
