"""View *after_withdrawal*: entries after a survivor withdrew her release, and their effect."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.codes import BasisEndReason, IneffectiveReason
from handoff.record.envelope import EXCHANGE
from handoff.record.events.case import ReleaseWithdrawn
from handoff.record.events.referral import DossierDisclosed, ReferralImported, ReferralRequested
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members, seconds
from handoff.views.replay.history import History, ReplayedEntry


class Effect(StrEnum):
    """Effect of an entry that follows a withdrawal."""

    WITHDREW = "withdrew"
    FOLLOWED = "followed"
    STOPPED = "stopped"
    DISCLOSED = "disclosed"
    WENT_ON = "went_on"
    UNRELATED = "unrelated"
    CHANGED_NOTHING = "changed_nothing"


class AfterRow(AnswerRow):
    """A withdrawal, or an entry ``seconds_after`` the last one, which is at position ``withdrawal``."""

    withdrawal: int
    at: datetime
    seconds_after: float
    emitter: str | None
    type: str | None
    referral: UUID | None
    effect: Effect
    reason: str | None


class AfterWithdrawal(Answer[AfterRow]):
    """All entries from the first withdrawal on. A disclosure despite the withdrawal is notable."""


def after_withdrawal(history: History, moment: datetime) -> AfterWithdrawal:
    """Return each entry from the first withdrawal up to ``moment``, with its effect."""
    return AfterWithdrawal(moment=moment, rows=tuple(_rows(history.until(moment))))


def _rows(then: History) -> Iterator[AfterRow]:
    withdrawal: ReplayedEntry | None = None
    for entry in then.own:
        if entry.is_a(ReleaseWithdrawn):
            withdrawal = entry
        if withdrawal is not None:
            yield _row(withdrawal, entry, _effect(entry))


def _row(withdrawal: ReplayedEntry, entry: ReplayedEntry, effect: Effect) -> AfterRow:
    referral = entry.referral
    return AfterRow(
        agencies=distinct_members(entry.emitter, *((referral.source, referral.target) if referral is not None else ())),
        positions=(entry.position,),
        notable=effect is Effect.DISCLOSED,
        withdrawal=withdrawal.position,
        at=entry.at,
        seconds_after=seconds(withdrawal.at, entry.at),
        emitter=entry.emitter,
        type=entry.event_type,
        referral=entry.referral_id,
        effect=effect,
        reason=entry.verdict.reason,
    )


def _effect(entry: ReplayedEntry) -> Effect:
    if not entry.verdict.is_effective:
        stopped = entry.verdict.reason == IneffectiveReason.RELEASE_WITHDRAWN
        return Effect.STOPPED if stopped else Effect.CHANGED_NOTHING
    if entry.is_a(ReleaseWithdrawn):
        return Effect.WITHDREW
    if entry.emitter == EXCHANGE and getattr(entry.body, "reason", None) == BasisEndReason.RELEASE_WITHDRAWN:
        return Effect.FOLLOWED
    if not _rests_on_what_was_withdrawn(entry):
        return Effect.UNRELATED
    disclosing = entry.is_a(DossierDisclosed, ReferralRequested, ReferralImported)
    return Effect.DISCLOSED if disclosing else Effect.WENT_ON


def _rests_on_what_was_withdrawn(entry: ReplayedEntry) -> bool:
    referral, case = entry.referral, entry.before.case
    basis = case.bases.get(referral.basis) if case is not None and referral is not None else None
    if basis is None or referral is None:
        return False
    return basis.ended_for(referral.target) is BasisEndReason.RELEASE_WITHDRAWN
