"""A jurisdiction's handoffs on a real timeline, and the coordinator's application that serves the board over HTTP."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import uvicorn
from fastapi import FastAPI

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.adapters.postgres.timeline_store import Founding, open_timeline_store
from handoff.config import DutyContact
from handoff.coordination.board_routes import BoardParts, add_board_routes
from handoff.domain.escalations import Escalation
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record import signing
from handoff.record.codec import encode
from handoff.record.codes import CaseService, DeadlineStep, ReleasePurpose
from handoff.record.envelope import COORDINATION
from handoff.record.events.deadline import DeadlineEscalated
from handoff.record.events.referral import ReferralDelivered
from handoff.record.topics import PROJECTION
from handoff.views.board.references import BoardReferences
from handoff.web.apis import COORDINATION_API
from handoff.web.app import create_app
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, JURISDICTION, nth_id
from tests.support.parts.audited import NOW, parsed, story
from tests.support.parts.desks import desk_of

REFERENCES = BoardReferences.derived_from(b"b" * 32)
DUTY = {spec.CSW: DutyContact(phone="+383 29 000 101", hours="24/7")}
_GENESIS = signing.sha256(encode(spec.founding()))


LATE = nth_id(11)
"""The referral of ``late_story`` that no person at the Center for Social Work opened."""


def late_story() -> spec.Record:
    """Return the audit's record with one more request to the Center for Social Work: delivered, unseen and late."""
    record = story()
    record.send(
        *spec.another(CaseService.CASE_MANAGEMENT, spec.CSW, ReleasePurpose.CASE_MANAGEMENT, number=5),
        spec.Sent(spec.CSW, ReferralDelivered(referral=LATE), 2 * spec.SECOND),
    )
    record.miss(DeadlineStep.ANSWERED)
    return record


def escalations(record: spec.Record) -> tuple[Escalation, ...]:
    """Return the escalation of the last missed deadline of a record, as the coordinator's node has it."""
    *_, last = (entry for entry in record.entries if isinstance(entry.event.data, DeadlineEscalated))
    body = last.event.data
    return (Escalation(body.reference, body.member, body.service, body.step, last.at, body.age_seconds),)


async def databases(jurisdiction: Jurisdiction) -> None:
    """Create the databases of the coordinator and of the timeline."""
    made = (Database(jurisdiction.name, COORDINATION, "node"), Database(jurisdiction.name, PROJECTION, "projection"))
    await database_setup.apply(jurisdiction.postgres, made, jurisdiction.passwords.postgres)


async def write_timeline(jurisdiction: Jurisdiction, record: spec.Record) -> None:
    """Write the entries of the record that the timeline lacks, as the projection does."""
    writer = jurisdiction.postgres_settings(PROJECTION, "writer")
    async with open_timeline_store(writer, references=REFERENCES) as store:
        position = await store.take_over()
        fold = await store.load_fold(Founding(JURISDICTION, GENERATION, _GENESIS), position)
        records = parsed(record)[position.next_offset :]
        await store.append(position, fold.apply(records, await store.load_missing(fold, records)))


@dataclass(frozen=True)
class Opened:
    """The coordinator's application, her store of sessions, and her database."""

    app: FastAPI
    sessions: SignInSessions
    own: asyncpg.Pool


@asynccontextmanager
async def coordination(
    jurisdiction: Jurisdiction, *, now: datetime = NOW, waiting: Sequence[Escalation] = ()
) -> AsyncIterator[Opened]:
    """The coordinator's application over these databases; its clock returns ``now``, ``waiting`` are escalations."""
    timeline = jurisdiction.postgres_settings(PROJECTION, "board")
    async with open_pool(jurisdiction.postgres_settings(COORDINATION)) as own, open_pool(timeline) as reading:
        desk = await desk_of(own, COORDINATION, spec.DIRECTORY, waiting)
        app = create_app(desk, member=COORDINATION, token="the-token-of-the-coordinator", api=COORDINATION_API)
        add_board_routes(app, BoardParts(desk=desk, own=own, timeline=reading, duty=DUTY, clock=lambda: now))
        yield Opened(app, SignInSessions(own), own)


@contextmanager
def served(jurisdiction: Jurisdiction, *, now: datetime = NOW, waiting: Sequence[Escalation] = ()) -> Iterator[str]:
    """The URL of the board, served on another event loop while that of the test waits for a browser."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        servers: list[uvicorn.Server] = []
        started = threading.Event()
        work = _serve(coordination(jurisdiction, now=now, waiting=waiting), listening, servers, started)
        thread = threading.Thread(target=asyncio.run, args=(work,))
        thread.start()
        started.wait(20)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            servers[0].should_exit = True
            servers[0].force_exit = True
            thread.join(10)


async def _serve(
    opening: AbstractAsyncContextManager[Opened],
    listening: socket.socket,
    servers: list[uvicorn.Server],
    started: threading.Event,
) -> None:
    async with opening as opened:
        servers.append(uvicorn.Server(uvicorn.Config(opened.app, log_config=None, lifespan="off", ws="none")))
        started.set()
        await servers[0].serve([listening])
