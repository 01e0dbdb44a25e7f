"""The view reads: who read the case, for what purpose, and whether with an open referral."""

from datetime import datetime
from uuid import UUID

from handoff.domain.case import Case
from handoff.domain.lifecycle import OPEN
from handoff.record.codes import MemberKind, ReadPurpose
from handoff.record.events.case import CaseRead
from handoff.views.replay.answer import Answer, Row, names
from handoff.views.replay.history import History, Told


class ReadRow(Row):
    """A person of ``agency`` read the case; ``reader`` is opaque, only that agency's node knows who it is.

    An agency's read without a referral that was open then is notable.
    """

    at: datetime
    agency: str
    reader: UUID
    purpose: ReadPurpose
    had_open_referral: bool


class Reads(Answer[ReadRow]):
    """The recorded reads of a case."""


def reads(history: History, moment: datetime) -> Reads:
    """Every read until ``moment``, in the record's order."""
    return Reads(moment=moment, rows=tuple(_row(told) for told in history.until(moment).saying(CaseRead)))


def _row(told: Told) -> ReadRow:
    agency = told.emitter or ""
    has_open = _has_open_referral(told.before.case, agency)
    member = told.before.directory.members.get(agency)
    return ReadRow(
        agencies=names(agency),
        positions=(told.position,),
        notable=not has_open and (member is None or member.kind is MemberKind.AGENCY),
        at=told.at,
        agency=agency,
        reader=told.body.reader,
        purpose=told.body.purpose,
        had_open_referral=has_open,
    )


def _has_open_referral(case: Case | None, agency: str) -> bool:
    referrals = case.referrals.values() if case is not None else ()
    return any(r.state in OPEN and agency in (r.source, r.target) for r in referrals)
