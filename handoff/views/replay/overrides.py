"""View *overrides*: actions without the survivor's release or outside the system, and the accountable member."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.codes import AnsweredVia, ApproverRole, BasisKind, SurvivorInformed
from handoff.record.events.case import BasisApproved, BasisRecorded
from handoff.record.events.referral import ReferralAccepted, ReferralImported
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members
from handoff.views.replay.history import History, ReplayedEntry


class Override(StrEnum):
    """Kind of override."""

    LEGAL_BASIS = "legal_basis"
    ACCEPTED_OUTSIDE = "accepted_outside"
    BROUGHT_OVER = "brought_over"


class OverrideRow(AnswerRow):
    """One override. A legal basis names its rule, its approver role and, if used before approval, its deadline.

    ``used_for`` are the referrals that rest on it. Notable: late or overdue approval, or the survivor was not informed.
    """

    override: Override
    at: datetime
    agency: str
    referral: UUID | None = None
    via: AnsweredVia | None = None
    basis: UUID | None = None
    kind: BasisKind | None = None
    rule: str | None = None
    approver_role: ApproverRole | None = None
    approval_due_at: datetime | None = None
    approved_at: datetime | None = None
    approved_late: bool = False
    survivor_informed: SurvivorInformed | None = None
    used_for: tuple[UUID, ...] = ()


class Overrides(Answer[OverrideRow]):
    """Overrides of a case."""


def overrides(history: History, moment: datetime) -> Overrides:
    """Return every override up to ``moment``, in the record's order."""
    return Overrides(moment=moment, rows=tuple(_rows(history.until(moment), moment)))


def _rows(then: History, moment: datetime) -> Iterator[OverrideRow]:
    for entry in then.saying(BasisRecorded, ReferralAccepted, ReferralImported):
        if entry.is_a(BasisRecorded):
            if not entry.body.kind.is_release:
                yield _legal_basis(then, entry, moment)
        elif entry.is_a(ReferralImported):
            yield _about(entry, Override.BROUGHT_OVER)
        elif entry.body.via is not AnsweredVia.SYSTEM:
            yield _about(entry, Override.ACCEPTED_OUTSIDE, entry.body.via)


def _about(entry: ReplayedEntry, override: Override, via: AnsweredVia | None = None) -> OverrideRow:
    parties = (entry.referral.source, entry.referral.target) if entry.referral is not None else ()
    return OverrideRow(
        agencies=distinct_members(entry.emitter, *parties),
        positions=(entry.position,),
        override=override,
        at=entry.at,
        agency=entry.emitter or "",
        referral=entry.referral_id,
        via=via,
    )


def _legal_basis(then: History, entry: ReplayedEntry, moment: datetime) -> OverrideRow:
    override, approval = entry.body, _approval(then, entry)
    due, approved_at = override.approval_due_at, approval.at if approval is not None else override.approved_at
    late = due is not None and (approved_at or moment) > due
    resting = [r for r in then.case.referrals.values() if r.basis == override.basis]
    return OverrideRow(
        agencies=distinct_members(entry.emitter, *(r.target for r in resting)),
        positions=tuple(entry.position for entry in (entry, approval) if entry is not None),
        notable=late or override.survivor_informed is SurvivorInformed.DEFERRED_UNSAFE,
        override=Override.LEGAL_BASIS,
        at=entry.at,
        agency=entry.emitter or "",
        basis=override.basis,
        kind=override.kind,
        rule=override.rule,
        approver_role=approval.body.approver_role if approval is not None else override.approver_role,
        approval_due_at=due,
        approved_at=approved_at,
        approved_late=late,
        survivor_informed=override.survivor_informed,
        used_for=tuple(r.id for r in resting),
    )


def _approval(then: History, entry: ReplayedEntry) -> ReplayedEntry | None:
    return next((one for one in then.saying(BasisApproved) if one.body.basis == entry.body.basis), None)
