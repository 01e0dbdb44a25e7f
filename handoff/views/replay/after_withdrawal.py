"""The view after_withdrawal: what was said after a survivor took back her release, and what came of it."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.codes import IneffectiveReason
from handoff.record.envelope import EXCHANGE
from handoff.record.events.case import ReleaseWithdrawn
from handoff.record.events.referral import DossierDisclosed, ReferralImported, ReferralRequested
from handoff.views.replay.answer import Answer, Row, names, seconds
from handoff.views.replay.history import History, Told


class Effect(StrEnum):
    """What became of a word that came after a withdrawal."""

    WITHDREW = "withdrew"
    FOLLOWED = "followed"
    STOPPED = "stopped"
    DISCLOSED = "disclosed"
    WENT_ON = "went_on"
    UNRELATED = "unrelated"
    CHANGED_NOTHING = "changed_nothing"


class AfterRow(Row):
    """A withdrawal, or what was said ``seconds_after`` the last one, at position ``withdrawal``."""

    withdrawal: int
    at: datetime
    seconds_after: float
    emitter: str | None
    type: str | None
    referral: UUID | None
    effect: Effect
    reason: str | None


class AfterWithdrawal(Answer[AfterRow]):
    """Everything from the first withdrawal on; what was disclosed all the same is notable."""


def after_withdrawal(history: History, moment: datetime) -> AfterWithdrawal:
    """Every entry of the case from its first withdrawal until ``moment``, with its effect."""
    return AfterWithdrawal(moment=moment, rows=tuple(_rows(history.until(moment))))


def _rows(then: History) -> Iterator[AfterRow]:
    withdrawal: Told | None = None
    for told in then.own:
        if told.says(ReleaseWithdrawn):
            withdrawal = told
        if withdrawal is not None:
            yield _row(withdrawal, told, _effect(told))


def _row(withdrawal: Told, told: Told, effect: Effect) -> AfterRow:
    referral = told.referral
    return AfterRow(
        agencies=names(told.emitter, *((referral.source, referral.target) if referral is not None else ())),
        positions=(told.position,),
        notable=effect is Effect.DISCLOSED,
        withdrawal=withdrawal.position,
        at=told.at,
        seconds_after=seconds(withdrawal.at, told.at),
        emitter=told.emitter,
        type=told.event_type,
        referral=told.referral_id,
        effect=effect,
        reason=told.verdict.reason,
    )


def _effect(told: Told) -> Effect:
    if not told.verdict.is_effective:
        stopped = told.verdict.reason == IneffectiveReason.RELEASE_WITHDRAWN
        return Effect.STOPPED if stopped else Effect.CHANGED_NOTHING
    if told.says(ReleaseWithdrawn):
        return Effect.WITHDREW
    if told.emitter == EXCHANGE and getattr(told.body, "reason", None) == IneffectiveReason.RELEASE_WITHDRAWN:
        return Effect.FOLLOWED
    if not _rests_on_what_was_withdrawn(told):
        return Effect.UNRELATED
    disclosing = told.says(DossierDisclosed, ReferralRequested, ReferralImported)
    return Effect.DISCLOSED if disclosing else Effect.WENT_ON


def _rests_on_what_was_withdrawn(told: Told) -> bool:
    referral, case = told.referral, told.before.case
    basis = case.bases.get(referral.basis) if case is not None and referral is not None else None
    if basis is None or referral is None:
        return False
    return basis.ended_for(referral.target) is IneffectiveReason.RELEASE_WITHDRAWN
