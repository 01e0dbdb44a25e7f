"""View *ineffective*: entries without effect, the reason, and whether the sender received the verdict."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from handoff.record.codes import IneffectiveReason, State
from handoff.record.delivery import VerdictKind
from handoff.record.envelope import EXCHANGE
from handoff.record.events.base import ReferralBody
from handoff.record.events.case import ReleaseWithdrawn
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members
from handoff.views.replay.history import History, ReplayedEntry


class IneffectiveRow(AnswerRow):
    """An ineffective entry. ``lost_to`` is the position of the entry that won the race, if there was one.

    ``unseen`` counts the events of its referral that the sender had not folded. ``recipients`` are the members that
    received the entry with its verdict; a sender missing among them is notable.
    """

    at: datetime
    emitter: str | None
    type: str | None
    referral: UUID | None
    reason: str | None
    lost_to: int | None
    unseen: int | None
    sender_informed: bool
    recipients: tuple[str, ...]


class Ineffective(Answer[IneffectiveRow]):
    """Lost races and disallowed steps of a case."""


def ineffective(history: History, moment: datetime) -> Ineffective:
    """Return every ineffective entry of the case, in the record's order."""
    then = history.until(moment)
    lost = (entry for entry in then.own if entry.verdict.kind is VerdictKind.INEFFECTIVE)
    return Ineffective(moment=moment, rows=tuple(_row(then, entry) for entry in lost))


def _row(then: History, entry: ReplayedEntry) -> IneffectiveRow:
    # The exchange's own events have no sender to inform.
    sender_informed = entry.emitter == EXCHANGE or entry.emitter in entry.recipients
    won = _lost_to(then, entry)
    return IneffectiveRow(
        agencies=distinct_members(entry.emitter, *entry.recipients),
        positions=tuple(other.position for other in (won, entry) if other is not None),
        notable=not sender_informed,
        at=entry.at,
        emitter=entry.emitter,
        type=entry.event_type,
        referral=entry.referral_id,
        reason=entry.verdict.reason,
        lost_to=won.position if won is not None else None,
        unseen=_unseen(entry),
        sender_informed=sender_informed,
        recipients=distinct_members(*entry.recipients),
    )


def _lost_to(then: History, entry: ReplayedEntry) -> ReplayedEntry | None:
    if entry.verdict.reason == IneffectiveReason.RELEASE_WITHDRAWN:
        return _last_before(entry, then.saying(ReleaseWithdrawn))
    if entry.referral_before is None or entry.verdict.reason not in set(State):
        return None
    about = then.about.get(entry.referral_before.id, ())
    return _last_before(entry, (other for other in about if _moved(other, entry.referral_before.id)))


def _last_before(entry: ReplayedEntry, others: Iterable[ReplayedEntry]) -> ReplayedEntry | None:
    before = takewhile(lambda other: other.position < entry.position, others)
    return next(iter(deque(before, maxlen=1)), None)


def _moved(other: ReplayedEntry, referral: UUID) -> bool:
    before, after = other.referral_before, other.referral
    return after is not None and after.id == referral and (before is None or before.state is not after.state)


def _unseen(entry: ReplayedEntry) -> int | None:
    if entry.referral_before is None or not isinstance(entry.body, ReferralBody):
        return None
    return max(0, entry.referral_before.seen - entry.body.seen)
