"""A caller without a token, or a slow one, cannot hold a node: bytes, seconds and connections are bounded."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast

import httpx
import pytest
from fastapi import FastAPI

from handoff.adapters.http.server import http_server
from handoff.config import HttpSettings
from handoff.node.ports import NodeApi
from handoff.web.app import create_app
from tests.support.parts.api import TOKEN
from tests.support.parts.node_process import free_port
from tests.support.probes.eventually import eventually

_HEADER_BYTES = 4 * 1024 * 1024
# Each test that still fails waits so long; a server that refuses does it within milliseconds.
_PATIENCE_SECONDS = 0.5
_MOST_SECONDS = 30
"""Upper bound on the time for which a request may be incomplete."""
_BEGUN = b"POST /cases HTTP/1.1\r\nHost: x\r\n"
_POST = _BEGUN + f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n".encode()


def _app() -> FastAPI:
    """An agency's API; none of these requests comes as far as its node."""
    return create_app(cast("NodeApi", object()), member="police", token=TOKEN)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a process that serves the API as services do."""
    chosen = free_port()
    server = http_server(_app(), HttpSettings(port=chosen))

    async def started() -> bool:
        return server.started

    task = asyncio.create_task(server.serve())
    await eventually(started)
    yield chosen
    server.should_exit = server.force_exit = True
    await task


async def _answer(port: int, *parts: bytes, seconds: float = _PATIENCE_SECONDS) -> bytes | None:
    """The answer's first bytes to a request that never ends: empty if the connection is closed, None if none came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(seconds):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read(64)
    except ConnectionError:
        return b""
    except TimeoutError:
        return None
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 11: a node reads a header of any size, before it knows who calls"
)
async def test_an_endless_header_is_refused(port: int) -> None:
    """The server answers or closes long before it has 4 MiB of one header."""
    piece = b"a" * 65_536
    parts = [b"GET /health/live HTTP/1.1\r\nX-A: ", *[piece] * (_HEADER_BYTES // len(piece))]
    assert await _answer(port, *parts) is not None


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="issue 11: a node waits for a body whose declared size is too large",
)
async def test_a_declared_size_that_is_too_large_is_refused_before_the_body(port: int) -> None:
    """A Content-Length over the limit is answered with 413 before a byte of the body is read."""
    answer = await _answer(port, _POST + b"Content-Length: 1000000000000\r\n\r\n{")
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="issue 11: a node takes any number of connections")
def test_connections_are_limited() -> None:
    """The server has a limit of connections, so that half-open ones do not use up its memory."""
    assert http_server(_app(), HttpSettings(port=free_port())).config.limit_concurrency is not None


@pytest.mark.faults
@pytest.mark.parametrize(
    "begun",
    [_BEGUN, _POST + b"Content-Length: 100\r\n\r\n{"],
    ids=["headers that never end", "a body that never comes"],
)
@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 11: a node waits for the rest of a request without a limit"
)
async def test_half_a_request_is_closed(port: int, begun: bytes) -> None:
    """The server gives up a request that is not complete within half a minute."""
    began = time.monotonic()
    answers = await asyncio.gather(*(_answer(port, begun, seconds=_MOST_SECONDS) for _ in range(100)))
    assert None not in answers, f"still open after {time.monotonic() - began:.0f} s"


async def test_figures_are_not_on_the_port_of_the_api() -> None:
    """The number of events that a member sends is published on a port of its own."""
    assert (await _get("/metrics")).status_code == httpx.codes.NOT_FOUND


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="issue 11: JSON answers may be kept by a shared cache")
async def test_a_json_answer_is_stored_nowhere() -> None:
    """Every answer of the API forbids caches to keep it, problems included."""
    assert (await _get("/referrals")).headers.get("cache-control") == "no-store"


async def _get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        return await http.get(path)
