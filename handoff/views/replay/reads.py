"""View *reads*: recorded reads of a case by persons, with purpose and open referral."""

from datetime import datetime
from uuid import UUID

from handoff.domain.case import Case
from handoff.domain.lifecycle import OPEN
from handoff.record.codes import MemberKind, ReadPurpose
from handoff.record.events.case import CaseRead
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members
from handoff.views.replay.history import History, ReplayedEntry


class ReadRow(AnswerRow):
    """A read by a person of ``agency``. ``reader`` is opaque: only that agency's node can resolve it.

    A read by an agency without an open referral is notable.
    """

    at: datetime
    agency: str
    reader: UUID
    purpose: ReadPurpose
    had_open_referral: bool


class Reads(Answer[ReadRow]):
    """Recorded reads of a case."""


def reads(history: History, moment: datetime) -> Reads:
    """Return every read up to ``moment``, in the record's order."""
    return Reads(moment=moment, rows=tuple(_row(entry) for entry in history.until(moment).saying(CaseRead)))


def _row(entry: ReplayedEntry) -> ReadRow:
    agency = entry.emitter or ""
    has_open = _has_open_referral(entry.before.case, agency)
    member = entry.before.directory.members.get(agency)
    return ReadRow(
        agencies=distinct_members(agency),
        positions=(entry.position,),
        notable=not has_open and (member is None or member.kind is MemberKind.AGENCY),
        at=entry.at,
        agency=agency,
        reader=entry.body.reader,
        purpose=entry.body.purpose,
        had_open_referral=has_open,
    )


def _has_open_referral(case: Case | None, agency: str) -> bool:
    referrals = case.referrals.values() if case is not None else ()
    return any(r.state in OPEN and agency in (r.source, r.target) for r in referrals)
