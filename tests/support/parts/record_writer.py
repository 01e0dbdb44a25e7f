"""A record that the test writes in the exchange's place, and projections that put it on the timeline."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.config import CONFIG_VARIABLE, CheckpointSettings, PostgresSettings, ProcessSettings, ProjectionSettings
from handoff.domain.founding import admission_events
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.proof.log.checkpoint import Origin, cosigner_key
from handoff.proof.log.note import NoteKey
from handoff.proof.log.signer import LogSigner
from handoff.proof.verify.trust import TrustedLog, write_trust
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
    StartKind,
    Urgency,
)
from handoff.record.events import Body
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.events.directory import Admission
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import PROJECTION
from handoff.trial.child_process import ChildProcess
from tests.support.dsl.builders import T0, key_of, nth_id, signed
from tests.support.parts.proof_record import witness_key
from tests.support.parts.settings_file import write_settings
from tests.support.parts.small_jurisdiction import ROOT, Town, plan
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.queries import QUERIES

PATIENCE_SECONDS = 45.0
WITNESSES = ("police", "shelter", "legal_aid")
EXPIRES = T0 + timedelta(days=365 * 100)


@dataclass
class RecordWriter:
    """A town whose record the test keeps, with the timeline's database."""

    town: Town
    # If given, the projection is the record's log and signs a checkpoint at this interval.
    cadence_seconds: float | None = None
    _projections: list[ChildProcess] = field(default_factory=list)

    @property
    def origin(self) -> Origin:
        """The record's origin."""
        return Origin(self.town.name, self.town.jurisdiction.plan.generation)

    async def append(self, *messages: Message) -> None:
        """Puts messages onto the record."""
        await self.town.append(*messages)

    async def found(self) -> int:
        """Puts the town's founding and admissions onto the record; gives how many entries that makes."""
        members = [m for m in self.town.jurisdiction.plan.members if m.kind is not MemberKind.COORDINATION]
        terms = (
            (Admission(member=m.id, kind=m.kind, services=m.offers, classes=m.classes), key_of(m.id)) for m in members
        )
        events = [self.town.genesis, *admission_events(self.town.charter, terms, T0)]
        await self.append(*(signed(event) for event in events))
        return len(events)

    async def record(self) -> tuple[KafkaRecord, ...]:
        """The whole record, as the projection is allowed to read it."""
        async with self._reading() as reader:
            end, entries = await reader.end(), list[KafkaRecord]()
            while len(entries) < end:
                entries += await reader.read(wait=1)
        return tuple(entries)

    async def end(self) -> int:
        """Return the number of entries on the record."""
        async with self._reading() as reader:
            return await reader.end()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[RecordReader]:
        kafka = self.town.jurisdiction.kafka_settings(PROJECTION)
        reader = RecordReader(kafka, self.town.name, client_id="test")
        await reader.start(0)
        try:
            yield reader
        finally:
            await reader.close()

    def postgres(self, role: str) -> PostgresSettings:
        """The timeline's database as its owner, writer or reader."""
        return self.town.jurisdiction.postgres_settings(PROJECTION, role)

    @property
    def superuser(self) -> str:
        """DSN of the timeline's database for the superuser."""
        return self.town.jurisdiction.postgres.dsn(f"{self.town.name}_{PROJECTION}")

    def settings(self, role: str = "writer") -> ProcessSettings:
        """A projection's settings, for one that runs inside the test."""
        return ProcessSettings(
            jurisdiction=self.town.name,
            generation=1,
            genesis_sha256=signing.sha256(codec.encode(self.town.genesis)),
            member=PROJECTION,
            kafka=self.town.jurisdiction.kafka_settings(PROJECTION),
            postgres=self.postgres(role),
            projection=ProjectionSettings(patience_seconds=1),
            **self._log_settings(),
        )

    @property
    def log(self) -> LogSigner:
        """The log of this record."""
        return LogSigner(Origin(self.town.name, 1), key_of(PROJECTION))

    @property
    def checkpoints(self) -> CheckpointsTopic:
        """The topic of its checkpoints, as the projection reaches it."""
        kafka = self.town.jurisdiction.kafka_settings(PROJECTION)
        return CheckpointsTopic(kafka, self.log.origin, client_id="test-checkpoints")

    def _log_settings(self) -> dict[str, Any]:
        if self.cadence_seconds is None:
            return {}
        key_file = self.town.directory / "projection.key"
        key_file.write_text(key_of(PROJECTION).seed.hex())
        checkpoints = CheckpointSettings(trust_file=self.trust(*WITNESSES), cadence_seconds=self.cadence_seconds)
        return {"signing_key_file": key_file, "checkpoints": checkpoints}

    def trust(self, *names: str) -> Path:
        """The trust file, from now on id_derivation these agencies and the monitor."""
        trust_file = self.town.directory / "trust.policy"
        monitor, *agencies = (witness_of(self.town.name, name) for name in ("monitor", *names))
        genesis = signing.sha256(codec.encode(self.town.genesis))
        trust_file.write_text(write_trust([TrustedLog(self.log.public_key, genesis)], monitor, agencies, 2))
        return trust_file

    def projection(self, name: str) -> ChildProcess:
        """Return a projection process, not started yet."""
        path = write_settings(self.settings(), self.town.directory / f"{name}.toml")
        child = ChildProcess(
            name=f"projection {name}",
            argv=(sys.executable, "-m", "services.projection"),
            log=self.town.directory / f"{name}.log",
            env={CONFIG_VARIABLE: str(path)},
            cwd=ROOT,
        )
        self._projections.append(child)
        return child

    async def query(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of a named query to the timeline's database as its owner."""
        connection = await asyncpg.connect(self.postgres("owner").dsn)
        try:
            return await connection.fetch(QUERIES[name], *arguments)
        finally:
            await connection.close()

    async def execute(self, name: str) -> None:
        """Execute named statements on the timeline's database as its owner."""
        connection = await asyncpg.connect(self.postgres("owner").dsn)
        try:
            await connection.execute(QUERIES[name])
        finally:
            await connection.close()

    async def next_offset(self) -> int:
        """Return the next offset of the timeline."""
        found: int = (await self.query("timeline_next_offset"))[0][0]
        return found

    async def until_caught_up(self, offset: int | None = None) -> int:
        """Returns once the timeline has reached ``offset``, or else the record's end; gives how far it is."""
        wanted = await self.end() if offset is None else offset
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (reached := await self.next_offset()) < wanted:  # noqa: ASYNC110 - another process moves it
                await asyncio.sleep(0.02)
        return reached

    async def close(self) -> None:
        for child in self._projections:
            if child.running and child.pid is not None:
                os.kill(child.pid, signal.SIGCONT)
                child.kill()
        await self.town.close()


def witness_of(jurisdiction: str, name: str) -> NoteKey:
    """The key by which a town's cosigner is checked."""
    return cosigner_key(jurisdiction, name, witness_key(name).public_key)


@asynccontextmanager
async def record_writer(
    jurisdictions: Jurisdictions, directory: Path, cadence_seconds: float | None = None
) -> AsyncIterator[RecordWriter]:
    """Set up a jurisdiction with its topics and the timeline's database, before the first event."""
    jurisdiction = await jurisdictions.on_broker(plan())
    database = Database(jurisdiction.name, PROJECTION, "projection")
    await database_setup.apply(jurisdiction.postgres, (database,), jurisdiction.passwords.postgres)
    writer = RecordWriter(Town(jurisdiction, directory), cadence_seconds)
    try:
        yield writer
    finally:
        await writer.close()


@dataclass(frozen=True)
class RecordedCase:
    """A case in which police ask the shelter for a place; every event follows from the case's number."""

    town: Town
    number: int

    @property
    def case(self) -> UUID:
        return nth_id(3 * self.number)

    @property
    def basis(self) -> UUID:
        return nth_id(3 * self.number + 1)

    @property
    def referral(self) -> UUID:
        return nth_id(3 * self.number + 2)

    def event(self, body: Body, emitter: str = "police") -> AnyEvent:
        """``body`` about this case."""
        return self.town.event(body, emitter=emitter, subject=self.case)

    def request(self) -> Iterator[AnyEvent]:
        """The case is opened, the release recorded, the place requested."""
        release = {
            "kind": BasisKind.ORAL_WITNESSED,
            "purpose": ReleasePurpose.ARRANGE_SHELTER,
            "recipient_class": RecipientClass.LICENSED_SHELTER,
            "expires_at": EXPIRES,
        }
        yield self.event(
            c.CaseOpened(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.SAME_DAY, offered=())
        )
        yield self.event(c.BasisRecorded(basis=self.basis, **release))
        yield self.event(
            r.ReferralRequested(
                referral=self.referral,
                target="shelter",
                service=CaseService.SHELTER,
                urgency=Urgency.EMERGENCY,
                basis=r.BasisSnapshot(basis=self.basis, **release),
            )
        )

    def arrival(self) -> Iterator[AnyEvent]:
        """The shelter has it, opens it, accepts, and she arrives."""
        yield self.event(r.ReferralDelivered(referral=self.referral), "shelter")
        yield self.event(r.ReferralOpened(referral=self.referral), "shelter")
        yield self.event(r.ReferralAccepted(referral=self.referral), "shelter")
        yield self.event(r.ReferralStarted(referral=self.referral, kind=StartKind.ARRIVAL), "shelter")

    def whole(self) -> list[Message]:
        """All of it, signed."""
        return [signed(event) for event in (*self.request(), *self.arrival())]
