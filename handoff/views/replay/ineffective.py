"""The view ineffective: what changed nothing, why, and whether its sender was told."""

from datetime import datetime
from uuid import UUID

from handoff.record.codes import IneffectiveReason
from handoff.record.delivery import VerdictKind
from handoff.record.envelope import EXCHANGE
from handoff.record.events.base import ReferralBody
from handoff.record.events.case import ReleaseWithdrawn
from handoff.views.replay.answer import Answer, Row, names
from handoff.views.replay.history import History, Told


class IneffectiveRow(Row):
    """An entry that changed nothing. ``lost_to`` is the position of what came first, where something did.

    ``unseen`` is how many events of its referral the sender had not folded when it spoke. ``told`` are the members
    into whose inboxes it went with its verdict; a sender that is not among them is notable.
    """

    at: datetime
    emitter: str | None
    type: str | None
    referral: UUID | None
    reason: str | None
    lost_to: int | None
    unseen: int | None
    sender_told: bool
    told: tuple[str, ...]


class Ineffective(Answer[IneffectiveRow]):
    """The lost races and refused steps of a case."""


def ineffective(history: History, moment: datetime) -> Ineffective:
    """Every entry of the case that was ineffective, in the record's order."""
    then = history.until(moment)
    lost = (told for told in then.own if told.verdict.kind is VerdictKind.INEFFECTIVE)
    return Ineffective(moment=moment, rows=tuple(_row(then, told) for told in lost))


def _row(then: History, told: Told) -> IneffectiveRow:
    # What the exchange says of itself has no sender to be told.
    sender_told = told.emitter == EXCHANGE or told.emitter in told.recipients
    won = _lost_to(then, told)
    return IneffectiveRow(
        agencies=names(told.emitter, *told.recipients),
        positions=tuple(entry.position for entry in (won, told) if entry is not None),
        notable=not sender_told,
        at=told.at,
        emitter=told.emitter,
        type=told.event_type,
        referral=told.referral_id,
        reason=told.verdict.reason,
        lost_to=won.position if won is not None else None,
        unseen=_unseen(told),
        sender_told=sender_told,
        told=names(*told.recipients),
    )


def _lost_to(then: History, told: Told) -> Told | None:
    before = [entry for entry in then.own if entry.position < told.position]
    if told.verdict.reason == IneffectiveReason.RELEASE_WITHDRAWN:
        return next((entry for entry in reversed(before) if entry.says(ReleaseWithdrawn)), None)
    if told.referral_before is None:
        return None
    return next((entry for entry in reversed(before) if _moved(entry, told.referral_before.id)), None)


def _moved(entry: Told, referral: UUID) -> bool:
    before, after = entry.referral_before, entry.referral
    return after is not None and after.id == referral and (before is None or before.state is not after.state)


def _unseen(told: Told) -> int | None:
    if told.referral_before is None or not isinstance(told.body, ReferralBody):
        return None
    return max(0, told.referral_before.seen - told.body.seen)
