"""View *gaps*: contradictory, invalid and duplicate entries of a case, and linked cases.

A refused submission is not a gap: its record has a hash and no case, so it would mark every case of its member.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.delivery import EQUIVOCATION, VerdictKind
from handoff.record.events.case import CasesLinked
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members
from handoff.views.replay.history import History, ReplayedEntry


class Gap(StrEnum):
    """Reason why the record may be incomplete."""

    EQUIVOCATION = "equivocation"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    LINKED_CASE = "linked_case"


class GapRow(AnswerRow):
    """One gap. Invalid and contradictory entries are notable."""

    gap: Gap
    at: datetime
    emitter: str | None
    type: str | None
    code: str | None = None
    other_case: UUID | None = None


class Gaps(Answer[GapRow]):
    """Gaps of a case."""


def gaps(history: History, moment: datetime) -> Gaps:
    """Return every gap up to ``moment``, in the record's order."""
    return Gaps(moment=moment, rows=tuple(row for entry in history.until(moment).entries for row in _rows(entry)))


def _rows(entry: ReplayedEntry) -> Iterator[GapRow]:
    if not entry.decoded.is_of_case:
        return
    if entry.verdict.kind is VerdictKind.DUPLICATE:
        yield _row(entry, Gap.DUPLICATE)
    elif entry.verdict.kind is VerdictKind.INVALID:
        contradicts = entry.verdict == EQUIVOCATION
        yield _row(entry, Gap.EQUIVOCATION if contradicts else Gap.INVALID, code=entry.verdict.reason)
    elif entry.is_a(CasesLinked):
        yield _row(entry, Gap.LINKED_CASE, other_case=entry.body.other_case)


def _row(
    entry: ReplayedEntry,
    gap: Gap,
    *,
    code: str | None = None,
    other_case: UUID | None = None,
) -> GapRow:
    return GapRow(
        agencies=distinct_members(entry.emitter),
        positions=(entry.position,),
        notable=gap in {Gap.EQUIVOCATION, Gap.INVALID},
        gap=gap,
        at=entry.at,
        emitter=entry.emitter,
        type=entry.event_type,
        code=code,
        other_case=other_case,
    )
