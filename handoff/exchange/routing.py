"""Routing of one batch of the record: inbox entries, the exchange's own events, and the state to store.

Pure. The caller loads the state before the batch and stores the result in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from handoff.domain.case import Case, Situation
from handoff.domain.consequences import consequences
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation, Overdue, changed_escalations, changed_overdue
from handoff.domain.record_fold import JudgedRecord, RecordFold
from handoff.domain.routing import recipients
from handoff.domain.timers import Timer, timers_of
from handoff.exchange import cpu_work
from handoff.proof.log import delivery_chain
from handoff.proof.log.entry import content_hash
from handoff.record.codes import IneffectiveReason
from handoff.record.delivery import EFFECTIVE, Delivery, Verdict
from handoff.record.envelope import EXCHANGE, Event, Identity
from handoff.record.events.base import Audience
from handoff.record.events.case import ReleaseWithdrawn, SurvivorEnded
from handoff.record.events.deadline import DeadlineMissed
from handoff.record.kafka_record import ParsedRecord
from handoff.record.message import Message


class Announcement(NamedTuple):
    """Event that was routed to all members, stored for members that are admitted later."""

    offset: int
    record_time: datetime
    message: Message


class InboxHead(NamedTuple):
    """Sequence and chain hash of the last entry routed to an inbox."""

    sequence: int
    chain: bytes


class QueuedDelivery(NamedTuple):
    """Inbox entry to send, with the hash of its statement."""

    member: str
    delivery: Delivery
    chain: bytes


class _Judged(NamedTuple):
    """Message with its verdict and record time, and what the exchange states about them to every recipient."""

    message: Message
    verdict: Verdict
    record_time: datetime
    facts: bytes

    @classmethod
    def of(cls, message: Message, verdict: Verdict, at: datetime) -> Self:
        facts = delivery_chain.delivered_facts(at, verdict, content_hash(message))
        return cls(message, verdict, at, facts)


@dataclass(frozen=True, slots=True)
class EarlyTimer:
    """A timer whose event was appended before its time, and the record time of the event."""

    case: UUID
    timer: Timer
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """State before a batch.

    ``first_hashes`` has the batch's identities that were taken before, ``inboxes`` the head of each member's inbox.
    ``announcements`` is needed only if the batch admits a member. ``escalations`` and ``overdue`` have those that the
    batch's events name.
    """

    directory: Directory
    record_ms: int
    cases: Mapping[UUID, Case]
    first_hashes: Mapping[Identity, str]
    inboxes: Mapping[str, InboxHead]
    announcements: tuple[Announcement, ...] = ()
    escalations: Mapping[UUID, Escalation] = field(default_factory=dict)
    overdue: Mapping[UUID, Overdue] = field(default_factory=dict)


@dataclass(slots=True)
class Routed:
    """Result of a batch: the state after it, the parts of it that changed, and what to publish, in order."""

    directory: Directory
    record_ms: int
    inboxes: dict[str, InboxHead]
    """Heads of the inboxes."""
    first_head: InboxHead
    """Head of an inbox without entries: the chain begins with the hash of the founding event."""
    judged: list[JudgedRecord] = field(default_factory=list)
    cases: dict[UUID, Case] = field(default_factory=dict)
    escalations: dict[UUID, Escalation | None] = field(default_factory=dict)
    """Reference → open escalation, None for an acknowledged one."""
    overdue: dict[UUID, Overdue | None] = field(default_factory=dict)
    """Escalation's reference → late step, None after the acknowledgement."""
    first_hashes: dict[Identity, str] = field(default_factory=dict)
    deliveries: list[QueuedDelivery] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)
    own_events: list[Event[Any]] = field(default_factory=list)
    confirmed: list[UUID] = field(default_factory=list)
    missed: list[Event[Any]] = field(default_factory=list)
    early: list[EarlyTimer] = field(default_factory=list)
    not_serving: list[JudgedRecord] = field(default_factory=list)
    """Withdrawals and endings by members without an open referral in the case: effective, and to be looked at."""


def route(known: Known, batch: tuple[ParsedRecord, ...], genesis_hash: str) -> Routed:
    """Judge and route ``batch``. Never raises on any bytes."""
    fold = RecordFold(
        genesis_hash,
        known.directory,
        known.record_ms,
        cases=dict(known.cases),
        escalations=dict(known.escalations),
        first_hashes=dict(known.first_hashes),
        verify=cpu_work.verifies,
    )
    routed = Routed(known.directory, known.record_ms, dict(known.inboxes), InboxHead(0, bytes.fromhex(genesis_hash)))
    for record in batch:
        judged, before, after = fold.apply(record)
        routed.judged.append(judged)
        event = record.event
        if not isinstance(event, Event):
            continue
        if judged.takes_identity:
            routed.first_hashes[event.identity] = record.value_hash
        if after.case is not None and after.case is not before.case:
            routed.cases[after.case.id] = after.case
        _deliver(routed, judged, event, before, after, earlier_announcements=known.announcements)
        if judged.verdict.is_effective:
            late = {**known.overdue, **routed.overdue}.get(record.escalation) if record.escalation is not None else None
            routed.own_events += consequences(before, after, event, judged.record_time, late)
            routed.escalations |= changed_escalations(event, judged.record_time)
            routed.overdue |= changed_overdue(event)
            if isinstance(event.data, ReleaseWithdrawn | SurvivorEnded) and not _has_open_referral(before, event):
                routed.not_serving.append(judged)
        _settle(routed, judged, event, before.case)
    routed.directory, routed.record_ms = fold.directory, fold.record_ms
    return routed


def _has_open_referral(before: Situation, event: Event[Any]) -> bool:
    return before.case is not None and before.case.is_party_of_open_referral(event.emitter)


def _deliver(
    routed: Routed,
    judged: JudgedRecord,
    event: Event[Any],
    before: Situation,
    after: Situation,
    *,
    earlier_announcements: tuple[Announcement, ...],
) -> None:
    """Append the entry to the inboxes of its recipients, and earlier announcements to those of new members."""
    entry = _Judged.of(judged.record.message, judged.verdict, judged.record_time)
    if after.directory is not before.directory:
        for newcomer in after.directory.members.keys() - before.directory.members.keys():
            for announced in (*earlier_announcements, *routed.announcements):
                _append_to_inbox(routed, newcomer, _Judged.of(announced.message, EFFECTIVE, announced.record_time))
    # A node can check its inbox only with the directory, so nothing is delivered to a member before its admission.
    audience = recipients(event, judged.verdict, before, after) & after.directory.members.keys()
    for member in sorted(audience):
        _append_to_inbox(routed, member, entry)
    if judged.verdict.is_effective and event.data.audience is Audience.ALL:
        routed.announcements.append(Announcement(judged.record.offset, judged.record_time, judged.record.message))


def _append_to_inbox(routed: Routed, member: str, judged: _Judged) -> None:
    last = routed.inboxes.get(member, routed.first_head)
    delivery = Delivery(last.sequence + 1, judged.record_time, judged.verdict, judged.message)
    chain = delivery_chain.chain_hash(member, delivery.sequence, judged.facts, last.chain)
    routed.inboxes[member] = InboxHead(delivery.sequence, chain)
    routed.deliveries.append(QueuedDelivery(member, delivery, chain))


def _settle(routed: Routed, judged: JudgedRecord, event: Event[Any], case: Case | None) -> None:
    """Collect the exchange's own events that were read back, and the timers that they close or re-arm."""
    verdict = judged.verdict
    if judged.proven_emitter == EXCHANGE:
        routed.confirmed.append(event.id)
    if isinstance(event.data, DeadlineMissed) and verdict.is_effective:
        routed.missed.append(event)
    elif verdict.reason == IneffectiveReason.TOO_EARLY and case is not None:
        routed.early += (EarlyTimer(case.id, timer, judged.record_time) for timer in timers_of(case, event.data))
