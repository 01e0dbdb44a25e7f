"""Routing loop of the leading exchange, for one epoch."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.adapters.kafka.client import BrokerUnavailable, Sender
from handoff.adapters.kafka.record_reader import BATCH, RecordReader
from handoff.adapters.postgres.exchange_store import ExchangeStore, Position
from handoff.adapters.postgres.exchange_transaction import Batch
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.backoff import Backoff
from handoff.config import KafkaSettings
from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.exchange import observability, verification_cache
from handoff.exchange.offload import off_the_loop
from handoff.exchange.relays import Inbox, Relay, Voice
from handoff.exchange.routing import Announcement, Known, Placed, Routed, route
from handoff.exchange.timers import say_what_is_late
from handoff.record.envelope import Event
from handoff.record.events.directory import AgencyAdmitted, JurisdictionFounded
from handoff.record.kafka_record import KafkaRecord
from handoff.record.signing import SigningKey
from handoff.record.topics import in_topic, record_topic

TICK_SECONDS = 0.2
# Each heartbeat is a write to disk.
SIGN_OF_LIFE_SECONDS = 0.5
CASES_IN_MEMORY = 10_000

_RETRY: tuple[type[Exception], ...] = (BrokerUnavailable, *TRANSIENT)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Office:
    """Context of routing, independent of the epoch. ``empty`` is the directory before the first entry."""

    kafka: KafkaSettings
    store: ExchangeStore
    key: SigningKey
    genesis_hash: str
    empty: Directory
    now: Callable[[], datetime]
    grace: timedelta


class Duty:
    """Loop that reads the record, judges and routes its entries, and emits the consequences."""

    def __init__(self, office: Office, position: Position) -> None:
        self._office = office
        self._store = office.store
        self._epoch = position.epoch
        self._position = position
        self._directory = office.empty
        self._given: dict[str, int] = {}
        self._cases: OrderedDict[UUID, Case] = OrderedDict()
        self._inboxes: dict[str, Relay] = {}
        self._ticked = 0.0
        self._shown = 0.0
        self._reader = RecordReader(office.kafka, office.empty.jurisdiction, client_id="exchange-routing")
        sender = Sender(office.kafka, client_id="exchange-voice")
        voice = Voice(office.store, sender, office.key, record_topic(office.empty.jurisdiction))
        self._voice = Relay("voice", voice.send_some, sender)
        self.routing = False

    async def run(self) -> None:
        """Run until cancelled. Raises ``Superseded`` (in a group) and ``RecordBroken``."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._voice.run())
                await self._route(tasks)
        finally:
            self.routing = False
            await self._reader.close()

    async def _route(self, tasks: asyncio.TaskGroup) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._begin(tasks)
                while True:
                    await self._step(tasks)
                    self.routing = True
                    backoff.reset()
            except _RETRY as error:
                self.routing = False
                _log.warning("router.restarted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(backoff.pause())

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        """Drop the caches and load the stored state."""
        self._position = await self._store.position(self._epoch)
        stored = await self._store.newer_directory(-1)
        self._directory = stored[1] if stored is not None else self._office.empty
        self._given = await self._store.members_given()
        self._cases.clear()
        await self._reader.start(self._position.next_offset)
        self._wake(tasks, self._given)

    async def _step(self, tasks: asyncio.TaskGroup) -> None:
        entries = await self._reader.read(wait=TICK_SECONDS)
        if entries:
            await self._take(entries, tasks)
        # Missed deadlines are emitted only after the answers already on the record have been read.
        if len(entries) < BATCH and time.monotonic() - self._ticked >= TICK_SECONDS:
            await self._tick()

    async def _tick(self) -> None:
        self._ticked = time.monotonic()
        if self._ticked - self._shown >= SIGN_OF_LIFE_SECONDS:
            await self._store.stay_alive(self._epoch)
            self._shown = self._ticked
        if late := await say_what_is_late(self._store, self._epoch, self._directory, self._office.now()):
            telemetry.DEADLINES_SAID.inc(late)
            self._voice.wake()

    async def _take(self, entries: tuple[KafkaRecord, ...], tasks: asyncio.TaskGroup) -> None:
        batch = await off_the_loop(len(entries), lambda: tuple(map(_placed, entries)))
        moved = _beyond(self._position, entries)
        async with self._store.batch(self._position, moved.next_offset, moved.record_time_ms) as transaction:
            known = await self._known(transaction, batch)
            routed = await off_the_loop(len(batch), lambda: route(known, batch, self._office.genesis_hash))
            await self._keep(transaction, routed, moved)
        self._position, self._directory, self._given = moved, routed.directory, routed.given
        self._remember({**known.cases, **routed.cases})
        self._wake(tasks, {member for member, _ in routed.deliveries})
        if routed.sayings or routed.heard:
            self._voice.wake()
        observability.tell(batch, routed, moved.next_offset)

    async def _known(self, transaction: Batch, batch: tuple[Placed, ...]) -> Known:
        events = [placed.entry.event for placed in batch if isinstance(placed.entry.event, Event)]
        cases = {event.case_id for event in events if event.case_id is not None}
        admits = any(isinstance(event.data, AgencyAdmitted | JurisdictionFounded) for event in events)
        announced = await transaction.announcements() if admits else ()
        return Known(
            directory=self._directory,
            record_time_ms=self._position.record_time_ms,
            cases=await self._load_cases(transaction, cases),
            first_hashes=await transaction.first_hashes([(event.subject, event.id) for event in events]),
            given=self._given,
            announcements=tuple(Announcement(*row) for row in announced),
        )

    async def _load_cases(self, transaction: Batch, wanted: set[UUID]) -> dict[UUID, Case]:
        remembered = {case: self._cases[case] for case in wanted & self._cases.keys()}
        missing = wanted - remembered.keys()
        return remembered | (await transaction.cases(missing) if missing else {})

    def _remember(self, cases: dict[UUID, Case]) -> None:
        for case_id, case in cases.items():
            self._cases[case_id] = case
            self._cases.move_to_end(case_id)
        while len(self._cases) > CASES_IN_MEMORY:
            self._cases.popitem(last=False)

    async def _keep(self, transaction: Batch, routed: Routed, moved: Position) -> None:
        if routed.directory is not self._directory:
            await transaction.keep_directory(moved.next_offset, routed.directory)
        await transaction.keep_cases(routed.cases, self._office.grace)
        await transaction.route(routed.deliveries, routed.given, routed.first_hashes)
        await transaction.announce(routed.announcements)
        await transaction.say(routed.sayings)
        await transaction.heard(routed.heard)
        for event in routed.missed:
            await transaction.timer_missed(event)
        for early in routed.early:
            await transaction.timer_early(early.event, early.event.data.due_at - early.at + self._office.grace)

    def _wake(self, tasks: asyncio.TaskGroup, members: Iterable[str]) -> None:
        for member in members:
            if member not in self._inboxes:
                self._inboxes[member] = self._open_inbox(member)
                tasks.create_task(self._inboxes[member].run())
            self._inboxes[member].wake()

    def _open_inbox(self, member: str) -> Relay:
        sender = Sender(self._office.kafka, client_id=f"exchange-in-{member}")
        topic = in_topic(self._office.empty.jurisdiction, member)
        inbox = Inbox(self._store, sender, self._epoch, member, topic)
        return Relay(f"inbox {member}", inbox.send_some, sender)


def _beyond(position: Position, entries: tuple[KafkaRecord, ...]) -> Position:
    """Return the position after ``entries``. Record time is monotonic even if the broker's clock is not."""
    latest = max(entry.appended_ms for entry in entries)
    return replace(position, next_offset=entries[-1].offset + 1, record_time_ms=max(position.record_time_ms, latest))


def _placed(entry: KafkaRecord) -> Placed:
    return Placed(entry.offset, entry.appended_ms, verification_cache.read(entry.message))
