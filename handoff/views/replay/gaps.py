"""View *gaps*: contradictory, invalid, refused and duplicate entries, and linked cases."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.delivery import EQUIVOCATION, VerdictKind
from handoff.record.events.case import CasesLinked
from handoff.record.events.directory import SubmissionRefused
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members
from handoff.views.replay.history import History, ReplayedEntry


class Gap(StrEnum):
    """Reason why the record may be incomplete."""

    EQUIVOCATION = "equivocation"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    LINKED_CASE = "linked_case"


class GapRow(AnswerRow):
    """One gap. A ``refused`` submission may concern another case: only its hash is kept.

    Invalid, contradictory and refused entries are notable.
    """

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
    then = history.until(moment)
    parties = then.parties()
    return Gaps(moment=moment, rows=tuple(row for entry in then.entries for row in _rows(entry, parties)))


def _rows(entry: ReplayedEntry, parties: tuple[str, ...]) -> Iterator[GapRow]:
    if entry.is_a(SubmissionRefused):
        if entry.body.member in parties:
            yield _row(entry, Gap.REFUSED, code=entry.body.code, agency=entry.body.member)
    elif not entry.decoded.is_of_case:
        return
    elif entry.verdict.kind is VerdictKind.DUPLICATE:
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
    agency: str | None = None,
    other_case: UUID | None = None,
) -> GapRow:
    return GapRow(
        agencies=distinct_members(agency or entry.emitter),
        positions=(entry.position,),
        notable=gap in {Gap.EQUIVOCATION, Gap.INVALID, Gap.REFUSED},
        gap=gap,
        at=entry.at,
        emitter=agency or entry.emitter,
        type=entry.event_type,
        code=code,
        other_case=other_case,
    )
