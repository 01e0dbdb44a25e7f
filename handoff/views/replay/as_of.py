"""View *as_of*: entries each institution had recorded, received and opened at a moment."""

from datetime import datetime
from uuid import UUID

from handoff.domain.case import Referral
from handoff.record.codes import CaseService, State, Urgency
from handoff.views.replay.answer import Answer, AnswerPart, AnswerRow, EntrySummary, summarise
from handoff.views.replay.history import History


class ReferralThen(AnswerPart):
    """State of a referral at the moment, with its milestones."""

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


class Reached(AnswerPart):
    """A referral delivered to an institution's system, or opened by a person there."""

    referral: UUID
    at: datetime


class InstitutionThen(AnswerRow):
    """One institution: entries it emitted, entries delivered to it, and its referrals.

    ``delivered`` is confirmed by its system, ``opened`` by a person.
    """

    agency: str
    recorded: tuple[EntrySummary, ...]
    routed: tuple[EntrySummary, ...]
    delivered: tuple[Reached, ...]
    opened: tuple[Reached, ...]
    referrals: tuple[ReferralThen, ...]


class AsOf(Answer[InstitutionThen]):
    """State of the case. ``position`` is its last entry, None before the first."""

    position: int | None
    opener: str | None
    opened_at: datetime | None


def as_of(history: History, moment: datetime) -> AsOf:
    """Return the state at ``moment``, one row an institution."""
    then = history.until(moment)
    return AsOf(
        moment=moment,
        position=then.own[-1].position if then.own else None,
        opener=then.case.opener,
        opened_at=then.case.opened_at,
        rows=tuple(_institution(then, agency) for agency in then.parties()),
    )


def _institution(then: History, agency: str) -> InstitutionThen:
    recorded = tuple(summarise(entry) for entry in then.own if entry.emitter == agency)
    routed = tuple(summarise(entry) for entry in then.own if agency in entry.recipients and entry.emitter != agency)
    its = [referral for referral in then.case.referrals.values() if agency in (referral.source, referral.target)]
    targeted = [referral for referral in its if referral.target == agency]
    return InstitutionThen(
        agencies=(agency,),
        positions=tuple(sorted(entry.position for entry in (*recorded, *routed))),
        notable=any(_is_unseen(referral) for referral in targeted),
        agency=agency,
        recorded=recorded,
        routed=routed,
        delivered=tuple(_reached(r.id, r.delivered_at) for r in targeted if r.delivered_at is not None),
        opened=tuple(_reached(r.id, r.opened_at) for r in targeted if r.opened_at is not None),
        referrals=tuple(referral_then(referral) for referral in its),
    )


def _is_unseen(referral: Referral) -> bool:
    """Return whether a request is delivered, unopened and unanswered."""
    delivered, opened = referral.delivered_at is not None, referral.opened_at is not None
    return delivered and not opened and referral.state is State.REQUESTED


def _reached(referral: UUID, at: datetime) -> Reached:
    return Reached(referral=referral, at=at)


def referral_then(referral: Referral) -> ReferralThen:
    """Convert ``referral`` to its form in answers."""
    fields = {name: getattr(referral, name) for name in ReferralThen.model_fields if name != "referral"}
    return ReferralThen(referral=referral.id, **fields)
