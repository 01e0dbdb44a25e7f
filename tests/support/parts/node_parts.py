"""A node's parts on its own database, with the test in the exchange's place."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.kafka.client import Sender
from handoff.adapters.kafka.outgoing_topic import OutgoingTopic
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.node import NodeWakeups, build_desk, build_intake, build_relay
from handoff.config import ProcessSettings
from handoff.domain.commands import OpenCase, RecordBasis, RequestReferral
from handoff.domain.decide import About
from handoff.domain.founding import admission_events
from handoff.domain.own_keys import OwnKeys
from handoff.domain.policies import Policy
from handoff.node.commands.desk import Desk
from handoff.node.inbox.intake import InboxIntake
from handoff.node.outbox.relay import RESEND_SECONDS, OutboxRelay
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.proof.log.delivery_chain import DeliveryProof, chain_hash, delivered_facts, sign_batch
from handoff.proof.log.entry import record_hash
from handoff.record import codec, signing
from handoff.record.codec import AnyEvent
from handoff.record.codes import (
    BasisKind,
    CaseService,
    EntryPoint,
    MemberKind,
    RecipientClass,
    ReleasePurpose,
    ReportingDelay,
    Urgency,
)
from handoff.record.delivery import EFFECTIVE, Delivery, Verdict, to_ms
from handoff.record.envelope import EXCHANGE, Source
from handoff.record.events.directory import Admission
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import out_topic
from tests.support.dsl.builders import T0, after, key_of, own_keys_of, signed
from tests.support.parts.small_jurisdiction import MEMBERS, Town, plan
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.queries import QUERIES

OPENING = OpenCase(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.SAME_DAY)
RELEASE = RecordBasis(
    kind=BasisKind.ORAL_WITNESSED,
    purpose=ReleasePurpose.ARRANGE_SHELTER,
    recipient_class=RecipientClass.LICENSED_SHELTER,
    expires_at=after(days=36_500),
)


@dataclass
class Parts:
    """One member's store, desk, relay and intake; ``post`` numbers what the test delivers as the exchange."""

    town: Town
    member: str
    pool: asyncpg.Pool
    wakeups: NodeWakeups = field(default_factory=NodeWakeups)
    sequence: int = 0
    chain: dict[int, bytes] = field(default_factory=dict)
    """Sequence → chain hash of what was posted."""

    @property
    def me(self) -> Source:
        return Source(self.town.name, 1, self.member)

    @property
    def store(self) -> PostgresStore:
        return PostgresStore(self.pool)

    @property
    def genesis_hash(self) -> str:
        return signing.sha256(codec.encode(self.town.genesis))

    def settings(self) -> ProcessSettings:
        """The settings with which an operator's command reaches this node."""
        return ProcessSettings(
            jurisdiction=self.town.name,
            generation=self.me.generation,
            genesis_sha256=self.genesis_hash,
            member=self.member,
            kafka=self.town.jurisdiction.kafka_settings(self.member),
            postgres=self.town.jurisdiction.postgres_settings(self.member),
        )

    def desk(self) -> Desk:
        return build_desk(self.me, own_keys_of(self.member), key_of(self.member).seed, self.pool, wakeups=self.wakeups)

    async def intake(self, policies: Sequence[Policy] = (), *, end: int | None = 0) -> InboxIntake:
        """An intake that has begun; ``end`` is the offset behind which its policies are on, None for never."""
        begun = build_intake(self.me, self.genesis_hash, self.pool, policies, wakeups=self.wakeups)
        await begun.begin()
        if end is not None:
            await begun.reach(end)
        return begun

    def relay(
        self, sender: Sender, *, resend_seconds: float = RESEND_SECONDS, keys: OwnKeys | None = None
    ) -> OutboxRelay:
        publisher = OutgoingTopic(sender, out_topic(self.town.name, self.member))
        return build_relay(
            self.me,
            keys or own_keys_of(self.member),
            self.pool,
            publisher,
            wakeups=self.wakeups,
            resend_seconds=resend_seconds,
        )

    def sender(self) -> Sender:
        return Sender(self.town.jurisdiction.kafka_settings(self.member), client_id=self.member)

    def post(
        self, content: AnyEvent | Message, verdict: Verdict = EFFECTIVE, at: datetime = T0, sequence: int | None = None
    ) -> KafkaRecord:
        """The next entry of the inbox, signed by the exchange."""
        self.sequence = sequence or self.sequence + 1
        message = content if isinstance(content, Message) else signed(content)
        delivery, link = delivered(
            self.member,
            self.sequence,
            message,
            self.chain.get(self.sequence - 1, bytes.fromhex(self.genesis_hash)),
            verdict=verdict,
            at=at,
        )
        self.chain[self.sequence] = link
        return KafkaRecord(self.sequence - 1, to_ms(at), delivery.to_message())

    def founding(self) -> list[KafkaRecord]:
        """Return the deliveries that introduce the jurisdiction to a member."""
        members = (m for m in self.town.jurisdiction.plan.members if m.kind is not MemberKind.COORDINATION)
        terms = (
            (Admission(member=m.id, kind=m.kind, services=m.offers, classes=m.classes), key_of(m.id)) for m in members
        )
        events = (self.town.genesis, *admission_events(self.town.charter, terms, T0))
        return [self.post(event) for event in events]

    async def echoes(self, verdict: Verdict = EFFECTIVE, at: datetime | None = None) -> list[KafkaRecord]:
        """The record's answers to everything that waits for one."""
        rows = await self.query("outbox_rows_without_echo")
        return [self.post(codec.decode(row["value"]), verdict, at or row["created_at"]) for row in rows]

    async def query(self, name: str, *arguments: object) -> list[Any]:
        """Return the rows of a named query to the node's database."""
        return await self.pool.fetch(QUERIES[name], *arguments)

    async def wipe(self) -> None:
        """Reset the database to its state after the migrations."""
        await self.execute_as_owner("wipe_node")
        self.sequence = 0
        self.chain.clear()

    async def execute_as_owner(self, name: str) -> None:
        """Execute named statements for which the node has no rights."""
        owner = await asyncpg.connect(self.town.jurisdiction.postgres_settings(self.member, "owner").dsn)
        try:
            await owner.execute(QUERIES[name])
        finally:
            await owner.close()


async def request_a_place(desk: Desk) -> tuple[UUID, UUID, tuple[UUID, ...]]:
    """Opens a case, records a release and asks the shelter: the case, the referral, and the events in order."""
    opened = await desk.submit(OPENING, About())
    about = About(case=opened.about.case)
    recorded = await desk.submit(RELEASE, about)
    assert recorded.about.basis is not None
    asked = await desk.submit(
        RequestReferral(
            target="shelter", service=CaseService.SHELTER, urgency=Urgency.EMERGENCY, basis=recorded.about.basis
        ),
        about,
    )
    assert about.case is not None
    assert asked.about.referral is not None
    return about.case, asked.about.referral, (*opened.events, *recorded.events, *asked.events)


def delivered(
    member: str, sequence: int, message: Message, previous: bytes, *, verdict: Verdict = EFFECTIVE, at: datetime = T0
) -> tuple[Delivery, bytes]:
    """Return an inbox entry as the exchange delivers it in a batch of its own, and its chain hash."""
    content = record_hash(message.key, message.value, message.headers)
    delivery = Delivery(sequence, at, verdict, message)
    link = chain_hash(member, sequence, delivered_facts(at, verdict, content), previous)
    [proof] = sign_batch([link], key_of(EXCHANGE))
    return replace(delivery, proof=proof), link


def as_one_batch(entries: Sequence[KafkaRecord]) -> list[KafkaRecord]:
    """The same entries as another process of the exchange sends them: with the signature of one larger batch."""
    deliveries = [Delivery.from_message(entry.message) for entry in entries]
    links = [DeliveryProof.unpack(delivery.proof).root for delivery in deliveries]
    proofs = sign_batch(links, key_of(EXCHANGE))
    return [
        replace(entry, message=replace(delivery, proof=proof).to_message())
        for entry, delivery, proof in zip(entries, deliveries, proofs, strict=True)
    ]


@asynccontextmanager
async def node_parts(
    jurisdictions: Jurisdictions, directory: Path, members: Iterable[str]
) -> AsyncIterator[list[Parts]]:
    """The parts of these members of one small town."""
    names = tuple(members)
    served = (m.model_copy(update={"service": "partner" if m.id in names else None}) for m in MEMBERS)
    jurisdiction = await jurisdictions.on_broker(plan(*served))
    databases = tuple(Database(jurisdiction.name, member, "node") for member in names)
    await database_setup.apply(jurisdiction.postgres, databases, jurisdiction.passwords.postgres)
    town = Town(jurisdiction, directory)
    pools = [open_pool(jurisdiction.postgres_settings(member)) for member in names]
    try:
        for pool in pools:
            await pool
        yield [Parts(town, member, pool) for member, pool in zip(names, pools, strict=True)]
    finally:
        for pool in pools:
            await pool.close()
        await town.close()
