"""The view overrides: what was done without her release or past the system, and who answers for it."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.codes import AnsweredVia, ApproverRole, BasisKind, SurvivorInformed
from handoff.record.events.case import BasisApproved, BasisRecorded
from handoff.record.events.referral import ReferralAccepted, ReferralImported
from handoff.views.replay.answer import Answer, Row, names
from handoff.views.replay.history import History, Told


class Override(StrEnum):
    """What was not done in the ordinary way."""

    LEGAL_BASIS = "legal_basis"
    ACCEPTED_OUTSIDE = "accepted_outside"
    BROUGHT_OVER = "brought_over"


class OverrideRow(Row):
    """One override. A legal basis names its rule, who approves it and, used before that, until when.

    ``used_for`` are the referrals that rest on it. Notable: its approval was late or is overdue, or she was not told.
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
    """The overrides of a case."""


def overrides(history: History, moment: datetime) -> Overrides:
    """Every override until ``moment``, in the record's order."""
    return Overrides(moment=moment, rows=tuple(_rows(history.until(moment), moment)))


def _rows(then: History, moment: datetime) -> Iterator[OverrideRow]:
    for told in then.saying(BasisRecorded, ReferralAccepted, ReferralImported):
        if told.says(BasisRecorded):
            if not told.body.kind.is_release:
                yield _legal_basis(then, told, moment)
        elif told.says(ReferralImported):
            yield _about(told, Override.BROUGHT_OVER)
        elif told.body.via is not AnsweredVia.SYSTEM:
            yield _about(told, Override.ACCEPTED_OUTSIDE, told.body.via)


def _about(told: Told, override: Override, via: AnsweredVia | None = None) -> OverrideRow:
    parties = (told.referral.source, told.referral.target) if told.referral is not None else ()
    return OverrideRow(
        agencies=names(told.emitter, *parties),
        positions=(told.position,),
        override=override,
        at=told.at,
        agency=told.emitter or "",
        referral=told.referral_id,
        via=via,
    )


def _legal_basis(then: History, told: Told, moment: datetime) -> OverrideRow:
    said, approval = told.body, _approval(then, told)
    due, approved_at = said.approval_due_at, approval.at if approval is not None else said.approved_at
    late = due is not None and (approved_at or moment) > due
    resting = [r for r in then.case.referrals.values() if r.basis == said.basis]
    return OverrideRow(
        agencies=names(told.emitter, *(r.target for r in resting)),
        positions=tuple(entry.position for entry in (told, approval) if entry is not None),
        notable=late or said.survivor_informed is SurvivorInformed.DEFERRED_UNSAFE,
        override=Override.LEGAL_BASIS,
        at=told.at,
        agency=told.emitter or "",
        basis=said.basis,
        kind=said.kind,
        rule=said.rule,
        approver_role=approval.body.approver_role if approval is not None else said.approver_role,
        approval_due_at=due,
        approved_at=approved_at,
        approved_late=late,
        survivor_informed=said.survivor_informed,
        used_for=tuple(r.id for r in resting),
    )


def _approval(then: History, told: Told) -> Told | None:
    return next((one for one in then.saying(BasisApproved) if one.body.basis == told.body.basis), None)
