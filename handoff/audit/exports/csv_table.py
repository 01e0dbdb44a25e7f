"""The timeline as CSV (RFC 4180): one line for each entry, in codes, ids, numbers and times."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from handoff.audit.exports.export_time import export_time
from handoff.views.replay.history import ReplayedEntry

NO_DIFFERENCES: Mapping[int, str] = MappingProxyType({})
COLUMNS = (
    "position",
    "record_time",
    "claimed_time",
    "emitter",
    "type",
    "referral",
    "verdict",
    "reason",
    "anchored",
    "differs",
    "data",
)


def as_csv(
    entries: Iterable[ReplayedEntry], is_anchored: Callable[[int], bool], differing: Mapping[int, str] = NO_DIFFERENCES
) -> str:
    """Return the table of ``entries``; ``is_anchored`` tells whether a checkpoint includes a position.

    ``differing`` has the columns of the database that differ from the raw record, by position.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(_row(entry, is_anchored, differing.get(entry.position, "")) for entry in entries)
    return out.getvalue()


def _row(entry: ReplayedEntry, is_anchored: Callable[[int], bool], differs: str) -> tuple[object, ...]:
    event = entry.decoded.event
    data = event.data.model_dump(mode="json", exclude={"referral", "seen"}, exclude_none=True) if event else {}
    return (
        entry.position,
        export_time(entry.at),
        export_time(event.time) if event else "",
        entry.emitter or "",
        event.type if event else "",
        entry.referral_id or "",
        entry.verdict.kind.value,
        entry.verdict.reason or "",
        "yes" if is_anchored(entry.position) else "no",
        differs,
        json.dumps(data, sort_keys=True) if data else "",
    )
