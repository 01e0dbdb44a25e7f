"""The view gaps: what is contradictory, refused or said twice, and what lies in another case."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.codes import RefusalCode
from handoff.record.delivery import VerdictKind
from handoff.record.events.case import CasesLinked
from handoff.record.events.directory import SubmissionRefused
from handoff.views.replay.answer import Answer, Row, names
from handoff.views.replay.history import History, Told


class Gap(StrEnum):
    """Why the record may not tell the whole story."""

    EQUIVOCATION = "equivocation"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    LINKED_CASE = "linked_case"


class GapRow(Row):
    """One gap. What was ``refused`` may have been about another case: only its hash is kept.

    What should never have come to stand on the record, or was kept off it, is notable.
    """

    gap: Gap
    at: datetime
    emitter: str | None
    type: str | None
    code: str | None = None
    other_case: UUID | None = None


class Gaps(Answer[GapRow]):
    """The gaps of a case."""


def gaps(history: History, moment: datetime) -> Gaps:
    """Every gap until ``moment``, in the record's order."""
    then = history.until(moment)
    parties = then.parties()
    return Gaps(moment=moment, rows=tuple(row for told in then.told for row in _rows(told, parties)))


def _rows(told: Told, parties: tuple[str, ...]) -> Iterator[GapRow]:
    if told.says(SubmissionRefused):
        if told.body.member in parties:
            yield _row(told, Gap.REFUSED, code=told.body.code, agency=told.body.member)
    elif not told.entry.is_of_case:
        return
    elif told.verdict.kind is VerdictKind.DUPLICATE:
        yield _row(told, Gap.DUPLICATE)
    elif told.verdict.kind is VerdictKind.INVALID:
        contradicts = told.verdict.reason == RefusalCode.EQUIVOCATION
        yield _row(told, Gap.EQUIVOCATION if contradicts else Gap.INVALID, code=told.verdict.reason)
    elif told.says(CasesLinked):
        yield _row(told, Gap.LINKED_CASE, other_case=told.body.other_case)


def _row(
    told: Told, gap: Gap, *, code: str | None = None, agency: str | None = None, other_case: UUID | None = None
) -> GapRow:
    return GapRow(
        agencies=names(agency or told.emitter),
        positions=(told.position,),
        notable=gap in {Gap.EQUIVOCATION, Gap.INVALID, Gap.REFUSED},
        gap=gap,
        at=told.at,
        emitter=agency or told.emitter,
        type=told.event_type,
        code=code,
        other_case=other_case,
    )
