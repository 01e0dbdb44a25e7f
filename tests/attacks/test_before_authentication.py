"""A caller without a token, or a slow one, cannot hold a process: bytes, seconds and connections are bounded.

Every port is served by the same server: that of an API, and that of health and metrics.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from handoff.adapters.http.bounded_protocol import RequestLimits
from handoff.adapters.http.probes import probes
from handoff.adapters.http.server import http_server
from handoff.config import HttpSettings
from handoff.node.ports import NodeApi
from handoff.readiness import Readiness
from handoff.web.app import create_app
from tests.support.parts.api import TOKEN
from tests.support.parts.node_process import free_port
from tests.support.parts.tls_parts import Authority
from tests.support.probes.eventually import eventually

_HEADER_BYTES = 4 * 1024 * 1024
# A server that refuses does so within milliseconds; one that does not would be waited for.
_PATIENCE_SECONDS = 20
_SHORT = RequestLimits(header_seconds=0.2, body_seconds=0.2)
_FEW = RequestLimits(header_seconds=60, body_seconds=60, connections=8)
_BEGUN = b"POST /cases HTTP/1.1\r\nHost: x\r\n"
_POST = _BEGUN + f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n".encode()
_WHOLE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def _app() -> FastAPI:
    """An agency's API; none of these requests comes as far as its node."""
    return create_app(cast("NodeApi", object()), member="police", token=TOKEN)


def _probes() -> Any:
    return probes("police", lambda: Readiness.of(()))


@asynccontextmanager
async def _served(app: Any, limits: RequestLimits | None = None, **files: Path) -> AsyncIterator[int]:
    """The port of a process that serves ``app`` as services do."""
    chosen = free_port()
    server = http_server(app, HttpSettings.model_validate({"port": chosen, **files}), limits=limits)

    async def started() -> bool:
        return server.started

    task = asyncio.create_task(server.serve())
    await eventually(started)
    try:
        yield chosen
    finally:
        server.should_exit = server.force_exit = True
        await task


@pytest.fixture(params=[_app, _probes], ids=["API", "health"])
def app(request: pytest.FixtureRequest) -> Any:
    """Each application that a process serves."""
    made: Callable[[], Any] = request.param
    return made()


async def _answer(port: int, *parts: bytes) -> bytes | None:
    """The answer's first bytes to a request that never ends: empty if the connection is closed, None if none came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
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


async def test_an_endless_header_is_refused(app: Any) -> None:
    """The server answers or closes long before it has 4 MiB of one header."""
    piece = b"a" * 65_536
    parts = [b"GET /health/live HTTP/1.1\r\nX-A: ", *[piece] * (_HEADER_BYTES // len(piece))]
    async with _served(app) as port:
        assert await _answer(port, *parts) is not None
        assert (await _answer(port, parts[0] + b"a" * 100_000) or b"HTTP/1.1 431")[:12] == b"HTTP/1.1 431"


async def test_endless_empty_lines_are_refused() -> None:
    """They belong to no request that the parser reports."""
    async with _served(_probes()) as port:
        assert await _answer(port, *[b"\r\n" * 32_768] * 4) is not None


async def test_headers_of_an_ordinary_size_are_read(app: Any) -> None:
    """Also in small pieces, after each of which the sizes are checked."""
    request = _WHOLE[:-2] + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(20)) + b"\r\n"
    async with _served(app) as port:
        answer = await _answer(port, *(request[i : i + 700] for i in range(0, len(request), 700)))
    assert answer is not None
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404"))


async def test_many_requests_in_one_packet_are_all_answered() -> None:
    """Their headers together exceed the limit of one request; each for itself is small."""
    request = _WHOLE[:-2] + b"X-A: " + b"a" * 2000 + b"\r\n\r\n"
    async with _served(_probes()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request * 40)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for _ in range(40):
                assert (await reader.readuntil(b'{"live":true}')).count(b"HTTP/1.1 200") == 1
        writer.close()


async def test_a_declared_size_that_is_too_large_is_refused_before_the_body(app: Any) -> None:
    """A Content-Length over the limit is answered with 413 before a byte of the body is read."""
    async with _served(app) as port:
        answer = await _answer(port, _POST + b"Content-Length: 1000000000000\r\n\r\n{")
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_declared_size_over_a_commands_limit_is_a_problem() -> None:
    """It is below the server's limit, so the API explains it."""
    async with _served(_app()) as port:
        answer = await _answer(port, _POST + b"Content-Length: 100000\r\n\r\n{")
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_body_without_a_declared_size_is_bounded(app: Any) -> None:
    """A caller without a token cannot send without end either: what follows the answer is bounded too."""
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    async with _served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                writer.write(_BEGUN + b"Transfer-Encoding: chunked\r\n\r\n")
                for _ in range(1000):
                    writer.write(chunk)
                    await writer.drain()
                await reader.read()
                assert reader.at_eof()
        assert writer.transport.is_closing() or reader.at_eof()
        writer.close()


@pytest.mark.parametrize(
    "begun",
    [b"", _BEGUN, _POST + b"Content-Length: 100\r\n\r\n{"],
    ids=["no byte", "headers that never end", "a body that never comes"],
)
async def test_half_a_request_is_closed(app: Any, begun: bytes) -> None:
    """The server gives up a request that is not complete in time."""
    async with _served(app, _SHORT) as port:
        answers = await asyncio.gather(*(_answer(port, begun) for _ in range(50)))
    assert None not in answers


async def test_a_handshake_that_never_ends_is_closed(tmp_path: Path) -> None:
    """Before the TLS handshake there is no request whose time could be bounded."""
    certificate = Authority.create(tmp_path).certificate("127.0.0.1")
    files = {"certificate_file": certificate.chain, "key_file": certificate.key}
    async with _served(_app(), _SHORT, **files) as port:
        assert await _answer(port) is not None


async def test_unfinished_handshakes_are_bounded_and_keep_out_no_request(tmp_path: Path) -> None:
    """The oldest one makes room, and a complete request is answered."""
    authority = Authority.create(tmp_path)
    certificate = authority.certificate("127.0.0.1")
    files = {"certificate_file": certificate.chain, "key_file": certificate.key}
    async with _served(_probes(), _FEW, **files) as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * _FEW.connections)]
        closed = [asyncio.create_task(_is_closed(reader)) for reader, _ in opened]
        await eventually(lambda: _at_least(closed, len(opened) - _FEW.connections))
        assert not all(task.done() for task in closed)
        assert await _certificate_shown(port, authority) is not None
        for task in closed:
            task.cancel()
        for _, writer in opened:
            writer.close()


async def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    """A pair of files that does not match changes nothing, and the process serves all the time."""
    authority = Authority.create(tmp_path / "authority")
    first, second = (authority.certificate(name) for name in ("127.0.0.1", "127.0.0.2"))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(first.chain.read_bytes())
    key.write_bytes(first.key.read_bytes())
    async with _served(_probes(), certificate_file=chain, key_file=key) as port:
        before = await _certificate_shown(port, authority)
        with capture_logs() as logs:
            chain.write_bytes(second.chain.read_bytes())

            async def is_refused() -> bool:
                return any(line["event"] == "http.certificate_refused" for line in logs)

            await eventually(is_refused)
        assert await _certificate_shown(port, authority) == before
        key.write_bytes(second.key.read_bytes())

        async def is_renewed() -> bool:
            return await _certificate_shown(port, authority) != before

        await eventually(is_renewed)


async def _certificate_shown(port: int, authority: Authority) -> bytes:
    """Send a whole request over TLS, and return the certificate that the server showed."""
    context = ssl.create_default_context(cafile=authority.file)
    context.check_hostname = False
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(_WHOLE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


@pytest.mark.parametrize("begun", [b"", _BEGUN], ids=["no byte", "half a request"])
async def test_half_open_connections_do_not_keep_out_a_whole_request(app: Any, begun: bytes) -> None:
    """The number of connections is bounded, and the oldest half-open one makes room."""
    async with _served(app, _FEW) as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * _FEW.connections)]
        for _, writer in opened:
            writer.write(begun)
        answer = await _answer(port, _WHOLE)
        assert answer is not None
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404"))
        closed = [asyncio.create_task(_is_closed(reader)) for reader, _ in opened]
        await asyncio.wait(closed, timeout=_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await eventually(lambda: _at_least(closed, len(opened) - _FEW.connections))
        for task in closed:
            task.cancel()
        for _, writer in opened:
            writer.close()


async def _is_closed(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


async def _at_least(tasks: list[asyncio.Task[None]], count: int) -> bool:
    return sum(task.done() for task in tasks) >= count


async def test_figures_are_not_on_the_port_of_the_api() -> None:
    """The number of events that a member sends is published on a port of its own."""
    assert (await _get("/metrics")).status_code == httpx.codes.NOT_FOUND


async def test_a_json_answer_is_stored_nowhere() -> None:
    """Every answer of the API forbids caches to keep it, problems included."""
    assert (await _get("/referrals")).headers.get("cache-control") == "no-store"


async def _get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        return await http.get(path)
