"""A small jurisdiction on real parts whose members are played by the test: keys, an exchange, topics and inboxes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sized
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
import tomli_w
from aiokafka import AIOKafkaConsumer, TopicPartition

from handoff.adapters.kafka.client import Sender, security
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.config import CONFIG_VARIABLE, JurisdictionPlan, PlannedMember
from handoff.domain.directory import Directory
from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction, Passwords, new_passwords
from handoff.record import codec, signing
from handoff.record.codec import AnyEvent
from handoff.record.codes import CaseService, MemberKind, RecipientClass
from handoff.record.delivery import Delivery
from handoff.record.envelope import COORDINATION, EXCHANGE
from handoff.record.events import Body
from handoff.record.events.directory import Admission, Deadline
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message, as_headers
from handoff.record.topics import Topic, in_topic, out_topic, record_topic, topics
from handoff.trial.child_process import ChildProcess
from tests.support.dsl import builders
from tests.support.dsl.builders import T0, key_of
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.expectation import expected_inboxes, lines
from tests.support.probes.queries import QUERIES

ROOT = Path(__file__).parents[3]
# Long enough for a machine that has much else to do.
PATIENCE_SECONDS = 45.0
MEMBERS = (
    PlannedMember(id="police", offers=(CaseService.POLICE_PROTECTION,)),
    PlannedMember(id="social_work", offers=(CaseService.CASE_MANAGEMENT, CaseService.BENEFIT_CONTINUITY)),
    PlannedMember(id="shelter", offers=(CaseService.SHELTER,), classes=(RecipientClass.LICENSED_SHELTER,)),
    PlannedMember(id="legal_aid", offers=(CaseService.LEGAL_AID,), classes=(RecipientClass.LEGAL_AID,)),
    PlannedMember(id=COORDINATION, kind=MemberKind.COORDINATION),
)


def plan(*members: PlannedMember) -> JurisdictionPlan:
    """A jurisdiction of these members, none of which has a process of its own."""
    return JurisdictionPlan.model_validate(
        {"jurisdiction": {"name": "town", "generation": 1}, "members": members or MEMBERS}
    )


@dataclass
class Town:
    """A jurisdiction with the test in everybody's place but the exchange's."""

    jurisdiction: Jurisdiction
    directory: Path
    deadlines: tuple[Deadline, ...] = ()
    _senders: dict[str, Sender] = field(default_factory=dict)
    _exchanges: list[ChildProcess] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.jurisdiction.name

    @property
    def charter(self) -> Charter:
        return Charter(self.name, 1, COORDINATION, self.deadlines)

    @property
    def genesis(self) -> AnyEvent:
        return founding_event(self.charter, key_of(COORDINATION), key_of(EXCHANGE), T0)

    def exchange(self, instance: str = "first", **options: str) -> ChildProcess:
        """An exchange of this town, not started yet; ``options`` are its own settings."""
        child = ChildProcess(
            name=f"exchange {instance}",
            argv=(sys.executable, "-m", "services.exchange"),
            log=self.directory / f"{instance}.log",
            env={CONFIG_VARIABLE: str(self._configuration(instance, options))},
            cwd=ROOT,
        )
        self._exchanges.append(child)
        return child

    def _configuration(self, instance: str, options: dict[str, str]) -> Path:
        port, next_key = options.pop("port", None), options.pop("next_key_of", None)
        kafka = self.jurisdiction.kafka_settings(EXCHANGE)
        postgres = self.jurisdiction.postgres_settings(EXCHANGE)
        key_file = self.directory / "exchange.key"
        key_file.write_text(key_of(EXCHANGE).seed.hex())
        settings = {
            "jurisdiction": self.name,
            "generation": 1,
            "genesis_sha256": signing.sha256(codec.encode(self.genesis)),
            "member": EXCHANGE,
            "kafka": kafka.model_dump(mode="json", exclude_none=True) | {"password": kafka.password.get_secret_value()},
            "postgres": postgres.model_dump(mode="json", exclude_none=True)
            | {"password": postgres.password.get_secret_value()},
            "signing_key_file": str(key_file),
            "instance": instance,
            "exchange": {"grace_seconds": 0.3, **options},
        }
        if next_key is not None:
            key_file = self.directory / "exchange.next.key"
            key_file.write_text(key_of(next_key).seed.hex())
            settings["next_signing_key_file"] = str(key_file)
        if port is not None:
            settings["health"] = {"port": int(port)}
        path = self.directory / f"{instance}.toml"
        path.write_text(tomli_w.dumps(settings))
        return path

    def event(self, body: Body, **about: object) -> AnyEvent:
        """Return the envelope of ``body`` in this jurisdiction."""
        return builders.event(body, jurisdiction=self.name, **about)  # type: ignore[arg-type]

    async def publish(self, *events: AnyEvent) -> None:
        """Publishes events, each on its emitter's topic and under its emitter's key."""
        for emitter in dict.fromkeys(event.emitter for event in events):
            own = [builders.signed(event) for event in events if event.emitter == emitter]
            await self.submit(emitter, *own)

    async def submit(self, member: str, *messages: Message) -> None:
        """Publishes anything on a member's topic."""
        await self._sender(member).send(out_topic(self.name, member), messages)

    async def append(self, *messages: Message) -> None:
        """Puts something onto the record as the exchange would."""
        await self._sender(EXCHANGE).send(record_topic(self.name), messages)

    async def deliver(self, member: str, *entries: Message) -> None:
        """Puts something into a member's inbox topic as the exchange would."""
        await self._sender(EXCHANGE).send(in_topic(self.name, member), entries)

    def topics(self) -> tuple[Topic, ...]:
        """The topics of this town."""
        return topics(self.name, self.jurisdiction.members)

    def _sender(self, principal: str) -> Sender:
        if principal not in self._senders:
            self._senders[principal] = Sender(self.jurisdiction.kafka_settings(principal), client_id=principal)
        return self._senders[principal]

    async def found(self, *members: PlannedMember) -> None:
        """Found the jurisdiction, and wait until every member has received the founding."""
        await self.publish(self.genesis)
        await self.inbox(COORDINATION, lambda inbox: len(inbox) >= 1)
        admitted = [m for m in members or self.jurisdiction.plan.members if m.kind is not MemberKind.COORDINATION]
        await self.admit(*admitted)

    async def admit(self, *members: PlannedMember) -> None:
        """Admit members with their keys, and wait until the last of them has received it."""
        terms = (
            (Admission(member=m.id, kind=m.kind, services=m.offers, classes=m.classes), key_of(m.id)) for m in members
        )
        events = tuple(admission_events(self.charter, terms, T0))
        await self.publish(*events)
        await self.inbox(members[-1].id, lambda inbox: contains(inbox, events[-1]))

    def plan_members(self, *newcomers: PlannedMember) -> None:
        """Plans for newcomers; ``jurisdiction.apply_broker`` then gives them topics, users and rights."""
        grown = plan(*self.jurisdiction.plan.members, *newcomers).renamed(self.name)
        known = self.jurisdiction.passwords
        passwords = Passwords({**new_passwords(grown).kafka, **known.kafka}, known.postgres)
        self.jurisdiction = replace(self.jurisdiction, plan=grown, passwords=passwords)

    async def record(self, until: Callable[[list[KafkaRecord]], bool]) -> list[KafkaRecord]:
        """Read the record from its beginning until ``until`` accepts it."""
        reader = RecordReader(self.jurisdiction.kafka_settings(EXCHANGE), self.name, client_id="checker")
        found: list[KafkaRecord] = []
        try:
            await reader.start(0)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not until(found):
                    found += await reader.read(wait=0.5)
        except TimeoutError:
            raise AssertionError(f"the record has only {len(found)} entries\n{self.logs()}") from None
        finally:
            await reader.close()
        return found

    async def until_settled(self) -> list[KafkaRecord]:
        """The record once the exchange has routed all of it and has nothing left to send or to say."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._is_settled():  # noqa: ASYNC110 - another process is waited for
                await asyncio.sleep(0.05)
        [position] = await self.query("exchange_next_offset")
        return await self.record(lambda found: len(found) >= position["next_offset"])

    async def _is_settled(self) -> bool:
        reader = RecordReader(self.jurisdiction.kafka_settings(EXCHANGE), self.name, client_id="checker")
        try:
            end = await reader.end()
        finally:
            await reader.close()
        [found] = await self.query("exchange_is_settled", end)
        return bool(found["settled"])

    async def check_inboxes(self) -> list[KafkaRecord]:
        """Check that every inbox is exactly the routing of the record, without gaps and in order. Return the record."""
        record = await self.until_settled()
        genesis_hash = signing.sha256(codec.encode(self.genesis))
        expected = expected_inboxes(record, Directory(self.name, 1), genesis_hash)
        for member in self.jurisdiction.members:
            wanted = expected.get(member, [])
            inbox = lines(await self.inbox(member, at_least(len(wanted))))
            assert inbox == wanted, f"the inbox of {member} is not what the record says"
        return record

    async def inbox(self, member: str, until: Callable[[list[Delivery]], bool]) -> list[Delivery]:
        """Read a member's inbox from its beginning without repeated sends, until ``until`` accepts it."""
        found = await self._read(member, in_topic(self.name, member), lambda read: until(_deliveries(read)))
        return _deliveries(found)

    async def _read(self, principal: str, topic: str, until: Callable[[list[Message]], bool]) -> list[Message]:
        consumer = AIOKafkaConsumer(
            **security(self.jurisdiction.kafka_settings(principal)), enable_auto_commit=False, auto_offset_reset="none"
        )
        partition = TopicPartition(topic, 0)
        found: list[Message] = []
        await consumer.start()
        try:
            consumer.assign([partition])
            consumer.seek(partition, 0)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not until(found):
                    fetched = await consumer.getmany(partition, timeout_ms=500)
                    found += [Message(r.key, r.value, as_headers(r.headers)) for r in fetched.get(partition, ())]
        except TimeoutError:
            raise AssertionError(f"{topic} has only {len(found)} entries\n{self.logs()}") from None
        finally:
            await consumer.stop()
        return found

    def logs(self) -> str:
        return "\n".join(child.log_tail() for child in self._exchanges)

    async def query(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of a named query to the exchange's database."""
        connection = await asyncpg.connect(self.jurisdiction.postgres_settings(EXCHANGE).dsn)
        try:
            return await connection.fetch(QUERIES[name], *arguments)
        finally:
            await connection.close()

    async def close(self) -> None:
        for child in self._exchanges:
            if child.running and child.pid is not None:
                os.kill(child.pid, signal.SIGCONT)
                child.kill()
        for sender in self._senders.values():
            await sender.close()


def _deliveries(found: Iterable[Message]) -> list[Delivery]:
    """Inbox entries as a node folds them: at or below the last is skipped, the next is taken, a gap is an error."""
    taken: list[Delivery] = []
    for entry in map(Delivery.from_message, found):
        assert entry.sequence <= len(taken) + 1, f"after {len(taken)} comes {entry.sequence}"
        if entry.sequence == len(taken) + 1:
            taken.append(entry)
    return taken


def at_least(number: int) -> Callable[[Sized], bool]:
    """Return a predicate: the inbox has at least ``number`` entries."""
    return lambda found: len(found) >= number


def contains(inbox: Iterable[Delivery], event: AnyEvent) -> bool:
    """Return whether an inbox has ``event``."""
    return any(delivery.message.value == codec.encode(event) for delivery in inbox)


def events_of(inbox: Iterable[Delivery]) -> list[AnyEvent]:
    """The events of an inbox."""
    return [codec.decode(delivery.message.value or b"") for delivery in inbox]


@asynccontextmanager
async def town(
    jurisdictions: Jurisdictions, directory: Path, deadlines: tuple[Deadline, ...] = ()
) -> AsyncIterator[Town]:
    """Set up a jurisdiction with its topics and the exchange's database, before the first event."""
    jurisdiction = await jurisdictions.on_broker(plan())
    database = Database(jurisdiction.name, EXCHANGE, "exchange")
    await database_setup.apply(jurisdiction.postgres, (database,), jurisdiction.passwords.postgres)
    place = Town(jurisdiction, directory, deadlines)
    try:
        yield place
    finally:
        await place.close()
