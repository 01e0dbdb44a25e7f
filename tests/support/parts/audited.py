"""A case on a real timeline, and the audit's application that serves it over HTTP."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import uvicorn
from fastapi import FastAPI

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.adapters.postgres.timeline_store import Founding, open_timeline_store
from handoff.audit.api.definition import AUDIT_API
from handoff.audit.routes import AuditParts, add_audit_routes
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.proof.log.checkpoint import TreeHead, log_key
from handoff.proof.log.cosignatures import read_published_checkpoint
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.witness import AddCheckpoint
from handoff.record import signing
from handoff.record.codec import encode
from handoff.record.codes import (
    CaseService,
    DeadlineStep,
    EndScope,
    ReadPurpose,
    RejectionCode,
    ReleasePurpose,
    StartKind,
    Urgency,
)
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse
from handoff.record.topics import AUDIT, PROJECTION
from handoff.views.timeline_fold import TimelineBatch
from handoff.web.app import create_app
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, JURISDICTION, nth_id, signed
from tests.support.dsl.spec import (
    CSW,
    DIRECTORY,
    HOUR,
    LAWYER,
    MINUTE,
    POLICE,
    REFERRAL,
    SHELTER,
    SHELTER_B,
    T0,
    Sent,
)
from tests.support.parts import proof_record
from tests.support.parts.desks import desk_of

TOKEN = "the-token-of-the-auditors"
SECOND_PLACE, LAWYER_ASKED = nth_id(71), nth_id(5)
READER = nth_id(90)
NOW = T0 + 120 * HOUR
_GENESIS = signing.sha256(encode(spec.founding()))


def story() -> spec.Record:
    """Return a record: a full shelter and the next, the CSW, a withdrawal that precedes an acceptance, and reads."""
    record = spec.Record()
    place = spec.release(lasting=30 * spec.DAY)
    record.send(
        spec.opened(),
        Sent(POLICE, place, 90 * spec.SECOND),
        Sent(POLICE, spec.request(place), 40 * spec.SECOND),
        Sent(SHELTER, r.ReferralDelivered(referral=REFERRAL), 2 * spec.SECOND),
        Sent(SHELTER, r.ReferralOpened(referral=REFERRAL), 4 * MINUTE),
        Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL), 6 * MINUTE),
        Sent(POLICE, spec.request(place, target=SHELTER_B, referral=SECOND_PLACE), 9 * MINUTE),
        Sent(POLICE, r.ReferralRedirected(referral=REFERRAL, next=SECOND_PLACE)),
        Sent(SHELTER_B, r.ReferralDelivered(referral=SECOND_PLACE), 2 * spec.SECOND),
        Sent(SHELTER_B, r.ReferralOpened(referral=SECOND_PLACE), 11 * MINUTE),
        Sent(SHELTER_B, r.ReferralAccepted(referral=SECOND_PLACE, place_held_until=T0 + 4 * HOUR), 5 * MINUTE),
        Sent(SHELTER_B, r.ReferralStarted(referral=SECOND_PLACE, kind=StartKind.ARRIVAL), HOUR),
        *spec.another(CaseService.CASE_MANAGEMENT, CSW, ReleasePurpose.CASE_MANAGEMENT, urgency=Urgency.HIGH),
    )
    record.send(
        Sent(CSW, r.ReferralDelivered(referral=nth_id(3)), 3 * spec.SECOND),
        Sent(CSW, r.ReferralOpened(referral=nth_id(3)), 30 * MINUTE),
        *spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION, number=2),
        Sent(LAWYER, r.ReferralDelivered(referral=LAWYER_ASKED), 2 * spec.SECOND),
        Sent(LAWYER, r.ReferralOpened(referral=LAWYER_ASKED), 2 * HOUR),
        Sent(POLICE, c.CaseRead(reader=READER, purpose=ReadPurpose.ACT_ON_REFERRAL), 5 * MINUTE),
        Sent(CSW, c.CaseRead(reader=nth_id(91), purpose=ReadPurpose.SUPERVISE), 3 * MINUTE),
        Sent(spec.AUDIT, c.CaseRead(reader=nth_id(92), purpose=ReadPurpose.AUDIT), MINUTE),
        Sent(
            CSW,
            c.ReleaseWithdrawn(scope=EndScope.PURPOSE, purpose=ReleasePurpose.LEGAL_REPRESENTATION),
            20 * MINUTE,
        ),
        Sent(LAWYER, r.ReferralAccepted(referral=LAWYER_ASKED), 2 * spec.SECOND),
    )
    record.miss(DeadlineStep.ANSWERED)
    record.send(
        Sent(CSW, r.ReferralAccepted(referral=nth_id(3)), 2 * HOUR),
        Sent(CSW, r.ReferralStarted(referral=nth_id(3), kind=StartKind.FIRST_CONTACT), 3 * HOUR),
    )
    return record


def long_story(entries: int = 200) -> spec.Record:
    """Return the same record, extended with reads to that many entries of the case."""
    record = story()
    of_case = sum(entry.event.case_id is not None for entry in record.entries)
    for _ in range(entries - of_case):
        record.send(Sent(POLICE, c.CaseRead(reader=READER, purpose=ReadPurpose.SUPERVISE), MINUTE))
    return record


def parsed(record: spec.Record) -> list[ParsedRecord]:
    """Return the entries of the jurisdiction's founding and of the record, as the projection reads them."""
    founded = [(event, T0 - spec.DAY) for event in spec.foundation()]
    events = [*founded, *((_as_claimed(entry), entry.at) for entry in record.entries)]
    return [parse(KafkaRecord(offset, to_ms(at), signed(event))) for offset, (event, at) in enumerate(events)]


def _as_claimed(entry: spec.Entry) -> spec.AnyEvent:
    """Return the entry's event with a claimed time; that of the first rejection is 40 minutes early."""
    if entry.event.emitter == EXCHANGE:
        return entry.event
    late = 40 * MINUTE if isinstance(entry.event.data, r.ReferralRejected) else spec.SECOND
    return entry.event.model_copy(update={"time": entry.at - late})


async def write_entries(jurisdiction: Jurisdiction, record: spec.Record) -> TimelineBatch:
    """Write the entries that the timeline does not have yet, as the projection does."""
    async with open_timeline_store(jurisdiction.postgres_settings(PROJECTION, "writer")) as store:
        position = await store.take_over()
        fold = await store.load_fold(Founding(JURISDICTION, GENERATION, _GENESIS), position)
        records = parsed(record)[position.next_offset :]
        batch = fold.apply(records, await store.load_missing(fold, records))
        await store.append(position, batch)
    return batch


async def write_timeline(jurisdiction: Jurisdiction, record: spec.Record, *, unanchored: int = 2) -> None:
    """Write the record to the timeline as the projection does; a checkpoint covers all but the last entries."""
    batch = await write_entries(jurisdiction, record)
    await anchor(
        jurisdiction, [row.leaf for row in batch.rows], [row.entry.record_hash for row in batch.rows], unanchored
    )


async def anchor(jurisdiction: Jurisdiction, leaves: Sequence[bytes], hashes: Sequence[bytes], unanchored: int) -> None:
    """Store a checkpoint with every cosignature, and the receipts of the entries that it covers."""
    size = len(leaves) - unanchored
    tree, _ = Frontier().extended(leaves[:size])
    note = proof_record.checkpoint(TreeHead(size, tree.root), at=NOW - HOUR)
    log = log_key(proof_record.ORIGIN, proof_record.LOG.public_key)
    found = read_published_checkpoint(
        AddCheckpoint(0, (), str(note).encode()).encode(), log, proof_record.trust().witnesses
    )
    assert found is not None
    writer = await asyncpg.connect(jurisdiction.postgres_settings(PROJECTION, "writer").dsn)
    try:
        await writer.execute(
            "INSERT INTO proof.checkpoints VALUES (1, 0, $1, $2, $3)", size, tree.root, found.request.encode()
        )
        await writer.executemany(
            "INSERT INTO proof.cosignatures VALUES ($1, $2, $3, $4)",
            [(size, one.cosigner, one.at, one.line) for one in found.cosignatures],
        )
        await writer.executemany(
            "INSERT INTO proof.receipts VALUES ($1, $2, $3, $4)",
            [
                (offset, hashes[offset], size, proof_record.signed_receipt(hashes[offset], size))
                for offset in range(size)
            ],
        )
    finally:
        await writer.close()


async def databases(jurisdiction: Jurisdiction) -> None:
    """Create the databases of the audit and of the timeline."""
    made = (Database(jurisdiction.name, AUDIT, "node"), Database(jurisdiction.name, PROJECTION, "projection"))
    await database_setup.apply(jurisdiction.postgres, made, jurisdiction.passwords.postgres)


@dataclass(frozen=True)
class Opened:
    """The audit's application and its store of sessions."""

    app: FastAPI
    sessions: SignInSessions
    own: asyncpg.Pool


@asynccontextmanager
async def audit(
    jurisdiction: Jurisdiction, *, now: datetime = NOW, callers: Mapping[str, str] | None = None
) -> AsyncIterator[Opened]:
    """The audit over these databases; its clock returns ``now``."""
    timeline = jurisdiction.postgres_settings(PROJECTION, "reader")
    async with open_pool(jurisdiction.postgres_settings(AUDIT)) as own, open_pool(timeline) as reading:
        desk = await desk_of(own, AUDIT, DIRECTORY)
        app = create_app(desk, member=AUDIT, token=TOKEN, api=AUDIT_API)
        parts = AuditParts(
            source=desk.me,
            token=TOKEN,
            desk=desk,
            own=own,
            timeline=reading,
            timeline_settings=timeline,
            trust=lambda: proof_record.trust(genesis=_GENESIS),
            callers=callers,
            clock=lambda: now,
        )
        add_audit_routes(app, parts)
        yield Opened(app, SignInSessions(own), own)


@contextmanager
def served(jurisdiction: Jurisdiction, *, callers: Mapping[str, str] | None = None) -> Iterator[str]:
    """The URL of the audit, served on another event loop while that of the test waits for a browser."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        servers: list[uvicorn.Server] = []
        started = threading.Event()
        work = _serve(jurisdiction, callers, listening, servers, started)
        thread = threading.Thread(target=asyncio.run, args=(work,))
        thread.start()
        started.wait(20)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            servers[0].should_exit = True
            thread.join(10)


async def _serve(
    jurisdiction: Jurisdiction,
    callers: Mapping[str, str] | None,
    listening: socket.socket,
    servers: list[uvicorn.Server],
    started: threading.Event,
) -> None:
    async with audit(jurisdiction, callers=callers) as opened:
        servers.append(uvicorn.Server(uvicorn.Config(opened.app, log_config=None, lifespan="off", ws="none")))
        started.set()
        await servers[0].serve([listening])
