"""One batch of the record judged in order: who receives what, what follows from it, and what the exchange keeps.

Pure. Whoever calls it brings what was known before the batch and stores what came of it in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from handoff.domain.case import Case, Situation
from handoff.domain.consequences import consequences
from handoff.domain.directory import Directory
from handoff.domain.examine import Entry, Examined, examine
from handoff.domain.routing import recipients
from handoff.exchange import verification_cache
from handoff.record.codes import IneffectiveReason, RefusalCode
from handoff.record.delivery import Delivery, Verdict, VerdictKind, from_ms
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.events.base import Audience
from handoff.record.events.deadline import DeadlineAcknowledged, DeadlineEscalated, DeadlineMissed
from handoff.record.events.directory import SubmissionRefused
from handoff.record.message import Message

Identity = tuple[str, UUID]
"""Subject and event id: the first entry with both counts."""

# The exchange emits these about facts that cannot change before the events are on the record.
_NEVER_INEFFECTIVE = (SubmissionRefused, DeadlineEscalated, DeadlineAcknowledged)


@dataclass(frozen=True, slots=True)
class Placed:
    """A record entry at its offset, with the broker's append time in milliseconds."""

    offset: int
    appended_ms: int
    entry: Entry


class Announcement(NamedTuple):
    """An event that everyone was told, kept for whoever is admitted later."""

    offset: int
    record_time: datetime
    message: Message


@dataclass(frozen=True, slots=True)
class Alarm:
    """An entry that should not be on the record as it is; it carries no payload."""

    offset: int
    event_type: str
    emitter: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SaidEarly:
    """A deadline-missed of ours that landed before its time, with the record time at which it did."""

    event: Event[Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What is known where a batch begins. ``given`` is how many entries each member's inbox has had.

    ``first_hashes`` has the entries of the batch that were seen before; ``announcements`` is needed only where
    the batch admits someone.
    """

    directory: Directory
    record_time_ms: int
    cases: Mapping[UUID, Case]
    first_hashes: Mapping[Identity, str]
    given: Mapping[str, int]
    announcements: tuple[Announcement, ...] = ()


@dataclass(slots=True)
class Routed:
    """What a batch comes to, in the order in which it came about."""

    directory: Directory
    record_time_ms: int
    given: dict[str, int]
    cases: dict[UUID, Case] = field(default_factory=dict)
    first_hashes: dict[Identity, str] = field(default_factory=dict)
    deliveries: list[tuple[str, Delivery]] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)
    sayings: list[Event[Any]] = field(default_factory=list)
    heard: list[UUID] = field(default_factory=list)
    missed: list[Event[Any]] = field(default_factory=list)
    early: list[SaidEarly] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def route(known: Known, batch: tuple[Placed, ...], genesis_hash: str) -> Routed:
    """What ``batch`` comes to after ``known``. Never raises on any bytes."""
    routing = _Routing(known, genesis_hash)
    for placed in batch:
        routing.take(placed)
    return routing.routed


class _Routing:
    """The running state of one batch."""

    def __init__(self, known: Known, genesis_hash: str) -> None:
        self._known = known
        self._genesis_hash = genesis_hash
        self.routed = Routed(known.directory, known.record_time_ms, dict(known.given))

    def take(self, placed: Placed) -> None:
        routed, event = self.routed, placed.entry.event
        routed.record_time_ms = max(routed.record_time_ms, placed.appended_ms)
        at = from_ms(routed.record_time_ms)
        examined = self._examine(placed.entry, at)
        routed.verdicts.append(examined.verdict)
        if isinstance(event, Event):
            self._keep(placed, event, examined)
            self._deliver(placed, event, examined, at)
            self._follow(event, examined, at)
        if _is_alarming(event, examined.verdict):
            routed.alarms.append(_alarm(placed, examined.verdict))

    def _examine(self, entry: Entry, at: datetime) -> Examined:
        event = entry.event
        first_hash = self._first_hash((event.subject, event.id)) if isinstance(event, Event) else None
        known = Situation(self.routed.directory, self._case(event))
        return examine(
            known,
            entry,
            first_hash=first_hash,
            at=at,
            genesis_hash=self._genesis_hash,
            verify=verification_cache.verifies,
        )

    def _first_hash(self, identity: Identity) -> str | None:
        return self.routed.first_hashes.get(identity) or self._known.first_hashes.get(identity)

    def _case(self, event: Event[Any] | RefusalCode) -> Case | None:
        if not isinstance(event, Event) or event.case_id is None:
            return None
        case = event.case_id
        return self.routed.cases.get(case) or self._known.cases.get(case) or Case(case)

    def _keep(self, placed: Placed, event: Event[Any], examined: Examined) -> None:
        routed, verdict = self.routed, examined.verdict
        if verdict.kind in {VerdictKind.EFFECTIVE, VerdictKind.INEFFECTIVE}:
            routed.first_hashes[event.subject, event.id] = placed.entry.value_hash
        if verdict.is_effective:
            routed.directory = examined.after.directory
            if examined.after.case is not None:
                routed.cases[examined.after.case.id] = examined.after.case

    def _deliver(self, placed: Placed, event: Event[Any], examined: Examined, at: datetime) -> None:
        before, after, message = examined.before, examined.after, placed.entry.message
        for newcomer in after.directory.members.keys() - before.directory.members.keys():
            for told in (*self._known.announcements, *self.routed.announcements):
                self._give(newcomer, told.record_time, Verdict(VerdictKind.EFFECTIVE), told.message)
        # Whoever was not admitted could not check what an inbox says: the directory comes first.
        audience = recipients(event, examined.verdict, before, after) & after.directory.members.keys()
        for member in sorted(audience):
            self._give(member, at, examined.verdict, message)
        if examined.verdict.is_effective and event.data.audience is Audience.ALL:
            self.routed.announcements.append(Announcement(placed.offset, at, message))

    def _give(self, member: str, at: datetime, verdict: Verdict, message: Message) -> None:
        sequence = self.routed.given.get(member, 0) + 1
        self.routed.given[member] = sequence
        self.routed.deliveries.append((member, Delivery(sequence, at, verdict, message)))

    def _follow(self, event: Event[Any], examined: Examined, at: datetime) -> None:
        routed, verdict = self.routed, examined.verdict
        if verdict.is_effective:
            routed.sayings += consequences(examined.before, examined.after, event, at)
        if event.emitter == EXCHANGE and (verdict.kind is not VerdictKind.INVALID or _is_equivocation(verdict)):
            routed.heard.append(event.id)
        if isinstance(event.data, DeadlineMissed):
            if verdict.is_effective:
                routed.missed.append(event)
            elif verdict.reason == IneffectiveReason.TOO_EARLY:
                routed.early.append(SaidEarly(event, at))


def _is_equivocation(verdict: Verdict) -> bool:
    return verdict.kind is VerdictKind.INVALID and verdict.reason == RefusalCode.EQUIVOCATION


def _is_alarming(event: Event[Any] | RefusalCode, verdict: Verdict) -> bool:
    if verdict.kind is VerdictKind.INVALID:
        return True
    if verdict.kind is not VerdictKind.INEFFECTIVE or not isinstance(event, Event) or event.emitter != EXCHANGE:
        return False
    return isinstance(event.data, _NEVER_INEFFECTIVE)


def _alarm(placed: Placed, verdict: Verdict) -> Alarm:
    event = placed.entry.event
    if isinstance(event, Event):
        return Alarm(placed.offset, event.type, event.emitter, verdict)
    return Alarm(placed.offset, "", "", verdict)
