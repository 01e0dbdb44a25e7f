"""The feed over HTTP: a cursor past its end, and responses that wait for an entry."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
import uvicorn
from starlette.types import Message

from handoff.adapters.http.server import http_server
from handoff.adapters.postgres.inbox_notifications import InboxNotifications
from handoff.config import HttpSettings
from handoff.node.commands.desk import Desk
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.codes import EntryPoint, ReportingDelay
from handoff.record.delivery import EFFECTIVE
from handoff.record.events.case import CaseOpened
from handoff.web.app import create_app
from tests.support.dsl.builders import CASE, event
from tests.support.parts.api import AUTHORIZED, PLAN, TOKEN, Api, api
from tests.support.parts.desks import desk_of, directory_of, receive
from tests.support.parts.node_process import free_port
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.call_counter import CallCounter
from tests.support.probes.eventually import eventually

RECEIVED = (
    event(
        CaseOpened(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.UNKNOWN),
        emitter="police",
        subject=CASE,
    ),
    EFFECTIVE,
)


@pytest_asyncio.fixture
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases(PLAN)


@pytest_asyncio.fixture
async def police(jurisdiction: Jurisdiction) -> AsyncIterator[Api]:
    async with api(jurisdiction.postgres_settings("police"), jurisdiction.plan) as running:
        yield running


@pytest_asyncio.fixture
async def listening(police: Api) -> AsyncIterator[Api]:
    """The police's API, whose node listens for the database's notification."""
    notifications = asyncio.create_task(InboxNotifications(police.pool, police.desk.folded).run())
    yield police
    notifications.cancel()
    await asyncio.wait([notifications])


async def another_process(police: Api) -> Desk:
    """Return a desk on the same database that shares no wake-up with the first one."""
    return await desk_of(police.pool, "police", directory_of(PLAN))


async def test_a_cursor_past_the_end_is_refused_with_the_end(police: Api) -> None:
    """A client with the cursor of a lost database would otherwise never receive an entry again."""
    await receive(police.desk, RECEIVED)
    refused = await police.http.get("/feed", params={"after": 2})
    assert (refused.status_code, refused.json()["code"], refused.json()["end"]) == (409, "cursor_past_end", 1)
    at_the_end = await police.http.get("/feed", params={"after": 1})
    assert at_the_end.json() == {"entries": [], "next": 1}


async def test_a_cursor_past_the_end_of_an_empty_feed_is_refused(police: Api) -> None:
    """The end of a feed without entries is 0."""
    assert (await police.http.get("/feed", params={"after": 1, "wait": 30})).json()["end"] == 0
    assert (await police.http.get("/feed")).json() == {"entries": [], "next": 0}


async def test_an_entry_that_another_process_stores_ends_the_wait(listening: Api) -> None:
    """The database's notification wakes the caller of a standby, which folds nothing itself. Nothing polls."""
    reads = CallCounter(listening.desk.store, "feed")
    ends = CallCounter(listening.desk.store, "feed_end")
    waiting = asyncio.create_task(listening.http.get("/feed", params={"wait": 30}))
    await ends.more(1)
    await receive(await another_process(listening), RECEIVED)
    page = (await waiting).json()
    assert ([entry["sequence"] for entry in page["entries"]], page["next"]) == ([1], 1)
    # Once on arrival, once for the notification, and once more if the listener began to listen in between.
    assert reads.completed <= 3


async def test_a_listener_that_lost_its_connection_listens_again(listening: Api, jurisdiction: Jurisdiction) -> None:
    """Notifications of the time in between are lost, so it wakes every caller when it listens again."""
    changed = listening.desk.folded.subscribe()
    await asyncio.wait_for(changed.wait(30), 30)
    ends = CallCounter(listening.desk.store, "feed_end")
    waiting = asyncio.create_task(listening.http.get("/feed", params={"wait": 30}))
    await ends.more(1)
    operator = await asyncpg.connect(jurisdiction.postgres.dsn())
    user = jurisdiction.postgres_settings("police").user
    try:
        async with listening.pool.acquire() as connection:
            # One connection stays, so that what follows does not meet a lost one of the pool.
            kept = await connection.fetchval("SELECT pg_backend_pid()")
            await operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND pid <> $2", user, kept
            )
    finally:
        await operator.close()
    await receive(await another_process(listening), RECEIVED)
    assert len((await waiting).json()["entries"]) == 1


async def test_a_wait_is_bounded(jurisdiction: Jurisdiction, police: Api) -> None:
    """A longer wait than the limit is not valid, and a wait that times out is answered with an empty page."""
    assert (await police.http.get("/feed", params={"wait": 31})).status_code == 422
    app = create_app(police.desk, member="police", token=TOKEN, wait_limit=0.01)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://node", headers=AUTHORIZED
    ) as http:
        assert (await http.get("/feed", params={"wait": 30})).json() == {"entries": [], "next": 0}


async def test_a_wait_ends_when_the_client_disconnects(police: Api) -> None:
    """A client that restarts leaves no request behind."""
    ends = CallCounter(police.desk.store, "feed_end")
    disconnected = asyncio.Event()
    app = create_app(police.desk, member="police", token=TOKEN)
    running = asyncio.create_task(app(scope("/feed", b"wait=30"), client_that_leaves(disconnected), ignore))
    await ends.more(1)
    disconnected.set()
    await asyncio.wait_for(running, 20)


def scope(path: str, query: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
    }


def client_that_leaves(disconnected: asyncio.Event) -> Any:
    parts: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive_part() -> Message:
        if parts:
            return parts.pop()
        await disconnected.wait()
        return {"type": "http.disconnect"}

    return receive_part


async def ignore(_message: Message) -> None:
    pass


async def test_a_wait_is_answered_at_shutdown(police: Api) -> None:
    """The caller gets an empty page and keeps its cursor, instead of a broken connection."""
    ends = CallCounter(police.desk.store, "feed_end")
    app = create_app(police.desk, member="police", token=TOKEN)
    settings = HttpSettings(port=free_port())
    server = http_server(app, settings, grace_seconds=1, on_shutdown=app.state.context.shutdown.set)
    serving = asyncio.create_task(server.serve())
    url = f"http://{settings.host}:{settings.port}"
    async with httpx.AsyncClient(base_url=url, headers=AUTHORIZED, timeout=40) as http:
        await eventually(lambda: accepts(server))
        waiting = asyncio.create_task(http.get("/feed", params={"wait": 30}))
        await ends.more(1)
        server.should_exit = True
        answer = await waiting
    await serving
    assert (answer.status_code, answer.json()) == (200, {"entries": [], "next": 0})


async def accepts(server: uvicorn.Server) -> bool:
    return server.started
