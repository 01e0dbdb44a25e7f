"""Cases judged by this process, so that an unchanged entry is not judged again for each page.

The cache is outside the database that is checked. It is by the exact rows: an edited one is never answered from it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from handoff.domain.directory import Directory
from handoff.domain.record_fold import JudgedRecord
from handoff.judging.timeline_check import HASHES, StrandCheck, TimelineDifference, TimelineRecord, all_differences
from handoff.record.envelope import Event
from handoff.views.handoff_check import handoff_differences
from handoff.views.handoffs import Handoff
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.history import FRAMING, PASSING, History, HistoryFold, decode_entry

MOST_ROWS: Final = 20_000
"""Rows in the cache, of all cases. A row with its event and state takes some 6 KB."""

ToRecord = Callable[[Any], TimelineRecord]


@dataclass(slots=True)
class JudgedCase:
    """A case with its directory, judged and folded up to the last of ``rows``, which are as they were read."""

    case: UUID
    check: StrandCheck
    fold: HistoryFold
    rows: list[Any] = field(default_factory=list)
    hidden: frozenset[int] = frozenset()
    history: History | None = None

    @classmethod
    def empty(cls, case: UUID, genesis_hash: str, directory: Directory) -> "JudgedCase":
        """The case before its first row."""
        return cls(case, StrandCheck(genesis_hash, directory), HistoryFold(case))

    def vanished(self, rows: Sequence[Any], to_record: ToRecord) -> frozenset[int]:
        """Return the offsets of judged rows that are not among ``rows``: an append-only table has lost them."""
        known, found = (frozenset(to_record(row).kafka.offset for row in some) for some in (self.rows, rows))
        return (self.hidden | known) - found

    def begins(self, rows: Sequence[Any]) -> bool:
        """Return whether ``rows`` are the judged ones, and perhaps later ones."""
        return self.rows == rows[: len(self.rows)]

    def extend(self, rows: Sequence[Any], to_record: ToRecord) -> None:
        """Judge the rows after the judged ones."""
        key = str(self.case).encode()
        for row in rows[len(self.rows) :]:
            record = to_record(row)
            judged = self.check.add(record)
            is_of_case = record.key == key
            if is_of_case or _frames(judged):
                self.fold.add(decode_entry(judged, record.kafka.appended_ms, is_of_case=is_of_case))
            self.rows.append(row)
            self.hidden -= {record.kafka.offset}
            self.history = None

    def shown(
        self,
        checkpoint: CheckpointStatus | None,
        missing: Iterable[int],
        outside: Iterable[int] = (),
        handoffs: Sequence[Handoff] | None = None,
        status: Iterable[TimelineDifference] = (),
    ) -> History:
        """Return the history; the same object, with its cached properties, as long as nothing changes.

        ``missing`` are offsets that the timeline lacks, ``outside`` those that the checkpoint's tree does not include.
        ``handoffs`` are the stored ones, None if they are not compared; ``status`` are differences of the strand about
        the jurisdiction.
        """
        figures: tuple[TimelineDifference, ...] = ()
        if handoffs is not None and self.fold.case is not None:
            figures = tuple(handoff_differences(self.fold.case, handoffs, self.fold.position_of))
        found = {*self.check.differences, *figures, *status}
        differences = all_differences(found, self.hidden.union(missing), outside)
        if checkpoint is not None:
            changed = frozenset(one.position for one in differences if one.column in HASHES)
            checkpoint = replace(checkpoint, outside=changed)
        known = self.history
        if known is None or (known.checkpoint, known.differences) != (checkpoint, differences):
            self.history = known = self.fold.history(checkpoint, differences)
        return known


class JudgedCases:
    """The cases read last, by case and by the hash of the founding event that their judgement rests on."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._cases: OrderedDict[tuple[UUID, str], JudgedCase] = OrderedDict()

    def judged(
        self, case: UUID, rows: Sequence[Any], to_record: ToRecord, genesis_hash: str, empty: Directory
    ) -> JudgedCase:
        """Return the case judged up to the last of ``rows``, which are all of its rows and of the directory's."""
        key = case, genesis_hash
        known = self._cases.pop(key, None)
        if known is None or not known.begins(rows):
            vanished = known.vanished(rows, to_record) if known is not None else frozenset()
            known = JudgedCase.empty(case, genesis_hash, empty)
            known.hidden = vanished
        known.extend(rows, to_record)
        self._cases[key] = known
        while len(self._cases) > 1 and sum(len(one.rows) for one in self._cases.values()) > self._most_rows:
            self._cases.popitem(last=False)
        return known


def _frames(judged: JudgedRecord) -> bool:
    """Return whether a directory or status entry belongs to the history of any case."""
    event = judged.record.event
    return isinstance(event, Event) and judged.verdict.is_effective and event.type in (*FRAMING, *PASSING)
