"""The view as_of: what each institution had recorded, been delivered and opened at a moment."""

from datetime import datetime
from uuid import UUID

from handoff.domain.case import Referral
from handoff.record.codes import CaseService, State, Urgency
from handoff.views.replay.answer import Answer, Frozen, Line, Row, line
from handoff.views.replay.history import History


class ReferralThen(Frozen):
    """A referral as it stood: its state, since when, and the moments that it had passed."""

    referral: UUID
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    state: State
    since: datetime
    code: str | None
    requested_at: datetime
    delivered_at: datetime | None
    opened_at: datetime | None
    answered_at: datetime | None
    started_at: datetime | None
    closed_at: datetime | None
    disclosure_open: bool


class Reached(Frozen):
    """A referral that had come to an institution's machine, or before a person there."""

    referral: UUID
    at: datetime


class InstitutionThen(Row):
    """One institution's part: what it had said, what had been put into its inbox by others, what it had in hand.

    ``delivered`` rests on its machine's receipt, ``opened`` on a person's look.
    """

    agency: str
    recorded: tuple[Line, ...]
    routed: tuple[Line, ...]
    delivered: tuple[Reached, ...]
    opened: tuple[Reached, ...]
    referrals: tuple[ReferralThen, ...]


class AsOf(Answer[InstitutionThen]):
    """The case as it stood. ``position`` is the last entry about it, None if there was none yet."""

    position: int | None
    opener: str | None
    opened_at: datetime | None


def as_of(history: History, moment: datetime) -> AsOf:
    """The case at ``moment``, institution by institution."""
    then = history.until(moment)
    return AsOf(
        moment=moment,
        position=then.own[-1].position if then.own else None,
        opener=then.case.opener,
        opened_at=then.case.opened_at,
        rows=tuple(_institution(then, agency) for agency in then.parties()),
    )


def _institution(then: History, agency: str) -> InstitutionThen:
    recorded = tuple(line(told) for told in then.own if told.emitter == agency)
    routed = tuple(line(told) for told in then.own if agency in told.recipients and told.emitter != agency)
    its = [referral for referral in then.case.referrals.values() if agency in (referral.source, referral.target)]
    targeted = [referral for referral in its if referral.target == agency]
    return InstitutionThen(
        agencies=(agency,),
        positions=tuple(sorted(said.position for said in (*recorded, *routed))),
        notable=any(_is_unseen(referral) for referral in targeted),
        agency=agency,
        recorded=recorded,
        routed=routed,
        delivered=tuple(_reached(r.id, r.delivered_at) for r in targeted if r.delivered_at is not None),
        opened=tuple(_reached(r.id, r.opened_at) for r in targeted if r.opened_at is not None),
        referrals=tuple(referral_then(referral) for referral in its),
    )


def _is_unseen(referral: Referral) -> bool:
    """Whether a machine has it, nobody has opened it, and it waits for an answer."""
    delivered, opened = referral.delivered_at is not None, referral.opened_at is not None
    return delivered and not opened and referral.state is State.REQUESTED


def _reached(referral: UUID, at: datetime) -> Reached:
    return Reached(referral=referral, at=at)


def referral_then(referral: Referral) -> ReferralThen:
    """``referral`` as an auditor is shown it."""
    fields = {name: getattr(referral, name) for name in ReferralThen.model_fields if name != "referral"}
    return ReferralThen(referral=referral.id, **fields)
