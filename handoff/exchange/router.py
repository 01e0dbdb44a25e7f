"""Routing loop of the leading exchange, for one epoch."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.adapters.kafka.client import BrokerUnavailable, Sender
from handoff.adapters.kafka.record_reader import BATCH, RecordReader
from handoff.adapters.postgres.exchange_store import ExchangeStore, RecordPosition
from handoff.adapters.postgres.exchange_transaction import RoutingTransaction
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.backoff import Backoff
from handoff.config import KafkaSettings
from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.domain.own_keys import KeyStatus, OwnKeys
from handoff.exchange import cpu_work, observability
from handoff.exchange.relays import InboxRelay, OwnEventPublisher, QueuedEntry, SendingTask
from handoff.exchange.routing import Announcement, InboxHead, Known, Routed, route
from handoff.exchange.timers import queue_due_events
from handoff.leadership import Leadership
from handoff.proof.log.entry import content_hash
from handoff.record import record_time
from handoff.record.envelope import Event
from handoff.record.events.directory import AgencyAdmitted, JurisdictionFounded
from handoff.record.kafka_record import KafkaRecord, ParsedRecord
from handoff.record.signing import SigningKey
from handoff.record.topics import in_topic, record_topic
from handoff.verification.verifier import SignatureVerifier, VerifierLost

POLL_SECONDS = 0.2
CACHED_CASES = 10_000
IN_DOUBT_SECONDS = record_time.BOUND_MS / 1000
"""Time after an entry with a false time in which no missed deadline is published: that cannot be taken back."""
CONFIRM_SECONDS = 30.0
"""Interval of the checks that the record still has what was routed from it."""

_RETRY: tuple[type[Exception], ...] = (BrokerUnavailable, VerifierLost, *TRANSIENT)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RouterContext:
    """Context of routing, independent of the epoch. ``empty`` is the directory before the first entry."""

    kafka: KafkaSettings
    store: ExchangeStore
    keys: OwnKeys
    genesis_hash: str
    empty: Directory
    now: Callable[[], datetime]
    grace: timedelta
    verifier: SignatureVerifier


class Router:
    """Loop that reads the record, judges and routes its entries, and emits the consequences."""

    def __init__(self, context: RouterContext, leadership: Leadership, epoch: int) -> None:
        self._context = context
        self._store = context.store
        self._leadership = leadership
        self._epoch = epoch
        self._position = RecordPosition(epoch, 0, 0)
        self._directory = context.empty
        self._heads: dict[str, InboxHead] = {}
        self._cases: OrderedDict[UUID, Case] = OrderedDict()
        self._inboxes: dict[str, tuple[InboxRelay, SendingTask]] = {}
        self._confirmed, self._confirmed_at = self._position, 0.0
        self._timers_polled = 0.0
        self._reader = RecordReader(context.kafka, context.empty.jurisdiction, client_id="exchange-routing")
        self._confirming_reader = RecordReader(
            context.kafka, context.empty.jurisdiction, client_id="exchange-confirming"
        )
        sender = Sender(context.kafka, client_id="exchange-own-events")
        record = record_topic(context.empty.jurisdiction)
        publisher = OwnEventPublisher(context.store, sender, self._signing_key, record, clock=context.now)
        self._own_events = SendingTask("own events", publisher.send_some, sender)
        self.routing = False
        self._in_doubt_until = 0.0

    async def run(self) -> None:
        """Run until cancelled. Raises ``LeadershipLost`` (in a group) and ``RecordBroken``."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._own_events.run())
                await self._route(tasks)
        finally:
            self.routing = False
            await self._reader.close()
            await self._confirming_reader.close()

    async def _route(self, tasks: asyncio.TaskGroup) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._load(tasks)
                while True:
                    await self._step(tasks)
                    self.routing = True
                    backoff.reset()
            except _RETRY as error:
                self.routing = False
                _log.warning("router.restarted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(backoff.pause())

    async def _load(self, tasks: asyncio.TaskGroup) -> None:
        """Drop the caches and load the stored state."""
        self._position = await self._store.start_routing(self._epoch)
        stored = await self._store.newer_directory(-1)
        self._directory = stored[1] if stored is not None else self._context.empty
        self._heads = {member: InboxHead(*head) for member, head in (await self._store.inbox_heads()).items()}
        self._cases.clear()
        if self._position.last_hash:
            await self._reader.resume_after(self._position.next_offset - 1, self._position.last_hash)
        else:
            await self._reader.start(self._position.next_offset)
        self._confirmed, self._confirmed_at = self._position, time.monotonic()
        self._wake_inboxes(tasks, dict.fromkeys(self._heads, ()))

    async def _step(self, tasks: asyncio.TaskGroup) -> None:
        records = await self._reader.read(wait=POLL_SECONDS)
        # Here, not in a task of its own: an exchange that cannot read the record must not keep leadership.
        await self._leadership.renew()
        if time.monotonic() - self._confirmed_at >= CONFIRM_SECONDS:
            await self._confirm()
        if records:
            await self._route_batch(records, tasks)
        # Missed deadlines are emitted only after the answers already on the record have been read.
        if len(records) < BATCH and time.monotonic() >= max(self._in_doubt_until, self._timers_polled + POLL_SECONDS):
            self._timers_polled = time.monotonic()
            if missed := await queue_due_events(self._store, self._epoch, self._directory, self._context.now()):
                telemetry.DEADLINES_MISSED.inc(missed)
                self._own_events.wake()

    async def _confirm(self) -> None:
        """Check that the record still has the entry that was the last one at the previous check.

        A consumer does not notice a record that was truncated and grew again past its offset. Raises ``RecordBroken``.
        """
        if self._confirmed.last_hash:
            await self._confirming_reader.resume_after(self._confirmed.next_offset - 1, self._confirmed.last_hash)
        self._confirmed, self._confirmed_at = self._position, time.monotonic()

    async def _route_batch(self, records: tuple[KafkaRecord, ...], tasks: asyncio.TaskGroup) -> None:
        messages = [record.message for record in records]
        await cpu_work.verify_ahead(self._context.verifier, messages, self._directory.keys)
        batch = await cpu_work.run_off_loop(len(records), lambda: tuple(map(_parsed, records)))
        # Record time is monotonic even if the broker's clock is not.
        record_ms = max(self._position.record_ms, *(record.counted_ms for record in records))
        moved = replace(
            self._position,
            next_offset=records[-1].offset + 1,
            record_ms=record_ms,
            last_hash=content_hash(records[-1].message),
        )
        async with self._store.batch(self._position, moved) as transaction:
            known = await self._known(transaction, batch)
            routed = await cpu_work.run_off_loop(len(batch), lambda: route(known, batch, self._context.genesis_hash))
            queued = [(q.member, (q.delivery.sequence, q.delivery.to_message(), q.chain)) for q in routed.deliveries]
            await self._store_routed(transaction, routed, queued, moved)
        self._position, self._directory, self._heads = moved, routed.directory, routed.inboxes
        in_doubt = not routed.judged[-1].has_plausible_time
        self._in_doubt_until = time.monotonic() + IN_DOUBT_SECONDS if in_doubt else 0.0
        self._cache({**known.cases, **routed.cases})
        self._hand_over(tasks, queued)
        if routed.own_events or routed.confirmed:
            self._own_events.wake()
        observability.record_batch(routed, moved.next_offset)

    async def _known(self, transaction: RoutingTransaction, batch: tuple[ParsedRecord, ...]) -> Known:
        events = [record.event for record in batch if isinstance(record.event, Event)]
        wanted = {event.case_id for event in events if event.case_id is not None}
        cached = {case: self._cases[case] for case in wanted & self._cases.keys()}
        missing = wanted - cached.keys()
        admits = any(isinstance(event.data, AgencyAdmitted | JurisdictionFounded) for event in events)
        announced = await transaction.announcements() if admits else ()
        named = {record.escalation for record in batch if record.escalation is not None}
        escalations, overdue = await transaction.escalations(named) if named else ({}, {})
        return Known(
            directory=self._directory,
            record_ms=self._position.record_ms,
            cases=cached | (await transaction.cases(missing) if missing else {}),
            first_hashes=await transaction.first_hashes([event.identity for event in events]),
            inboxes=self._heads,
            announcements=tuple(Announcement(*row) for row in announced),
            escalations=escalations,
            overdue=overdue,
        )

    @property
    def key_status(self) -> KeyStatus:
        """Status of the exchange's own keys. Before the founding, the founding event names the current one."""
        if not self._directory.founded:
            return KeyStatus.IN_FORCE
        return self._context.keys.status(self._directory, self._context.now())

    def _signing_key(self) -> SigningKey:
        return self._context.keys.signing(self._directory, self._context.now()) or self._context.keys.current

    def _cache(self, cases: dict[UUID, Case]) -> None:
        for case_id, case in cases.items():
            self._cases[case_id] = case
            self._cases.move_to_end(case_id)
        while len(self._cases) > CACHED_CASES:
            self._cases.popitem(last=False)

    async def _store_routed(
        self,
        transaction: RoutingTransaction,
        routed: Routed,
        queued: Sequence[tuple[str, QueuedEntry]],
        moved: RecordPosition,
    ) -> None:
        if routed.directory is not self._directory:
            await transaction.store_directory(moved.next_offset, routed.directory)
        await transaction.store_cases(routed.cases, self._context.grace)
        await transaction.store_escalations(routed.escalations, routed.overdue)
        await transaction.queue_deliveries(queued, routed.inboxes, routed.first_hashes)
        await transaction.store_announcements(routed.announcements)
        await transaction.queue_own_events(routed.own_events)
        await transaction.confirm_own_events(routed.confirmed)
        for event in routed.missed:
            await transaction.close_timer(event)
        for early in routed.early:
            wait = early.timer.due_at - early.at + self._context.grace
            await transaction.rearm_timer(early.case, early.timer, wait)

    def _hand_over(self, tasks: asyncio.TaskGroup, queued: Iterable[tuple[str, QueuedEntry]]) -> None:
        """Give the relays the entries that were stored, so that they need not read them."""
        by_member = defaultdict[str, list[QueuedEntry]](list)
        for member, entry in queued:
            by_member[member].append(entry)
        self._wake_inboxes(tasks, by_member)

    def _wake_inboxes(self, tasks: asyncio.TaskGroup, stored: Mapping[str, Sequence[QueuedEntry]]) -> None:
        for member, entries in stored.items():
            if member not in self._inboxes:
                sender = Sender(self._context.kafka, client_id=f"exchange-in-{member}")
                topic = in_topic(self._context.empty.jurisdiction, member)
                inbox = InboxRelay(
                    self._store,
                    sender,
                    self._epoch,
                    member,
                    topic,
                    keys=self._context.keys,
                    directory=lambda: self._directory,
                )
                self._inboxes[member] = inbox, SendingTask(f"inbox {member}", inbox.send_some, sender)
                tasks.create_task(self._inboxes[member][1].run())
            inbox, sending = self._inboxes[member]
            inbox.hand_over(entries)
            sending.wake()


def _parsed(record: KafkaRecord) -> ParsedRecord:
    return ParsedRecord(record, *cpu_work.parse_value(record.message.value or b""))
