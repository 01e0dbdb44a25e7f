"""HTTP/1.1 with limits that hold before a caller is known: bytes, seconds and connections.

uvicorn bounds none of them. A header of any size is collected in memory, and a request that never ends stays open.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_SLICE_BYTES = 16 * 1024
"""Bytes that are parsed before the sizes are checked again."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of one server. A route may accept less; none accepts more."""

    header_bytes: int = 32 * 1024
    header_seconds: float = 10.0
    """From the connection, or from the first byte of a further request, to the end of the headers."""
    body_bytes: int = 1024 * 1024
    body_seconds: float = 20.0
    """From the end of the headers to the end of the body."""
    connections: int = 256


class _Phase(Enum):
    """Part of a request that the client still has to send."""

    HEADERS = "headers"
    BODY = "body"
    NOTHING = "nothing"


class _JoinedWrites:
    """Transport that sends the head of an answer with the beginning of its body, by one system call.

    Nothing waits longer than to the next turn of the event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self._flushing: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send ``data`` with what was held, or hold it."""
        if self._held is None:
            self._held, self._flushing = data, self._loop.call_soon(self._flush)
        else:
            self._held += data
            self._flush()

    def close(self) -> None:
        """Send what was held, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
        if self._held is not None:
            held, self._held = self._held, None
            self._transport.write(held)


class BoundedProtocol(HttpToolsProtocol):
    """One connection within ``limits``.

    A connection that exceeds a limit is answered, if no answer has begun, and closed. When all connections are in use,
    the one that has been idle or incomplete for the longest time makes room. So half-open connections never keep out a
    caller whose requests are complete.
    """

    def __init__(
        self, *args: Any, limits: RequestLimits, before_request: Callable[[], None] = lambda: None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._before_request = before_request
        self._limits = limits
        self._phase = _Phase.HEADERS
        self._timer: asyncio.TimerHandle | None = None
        self._unfinished_bytes = 0
        self._has_begun = False
        self._is_refused = False
        self.since = 0.0
        """Time at which the client last completed a part of a request, or connected."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self._limits.connections and not self._make_room():
            transport.write(_response(HTTPStatus.SERVICE_UNAVAILABLE))
            transport.close()
            # The parser is not used any more, and the connection is not counted.
            self.transport, self._is_refused = transport, True
            return
        super().connection_made(cast("asyncio.Transport", _JoinedWrites(transport, self.loop)))
        self._enter(_Phase.HEADERS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _SLICE_BYTES):
            if self._is_refused or self.transport.is_closing():
                return
            if self._phase is _Phase.NOTHING:
                # A further request; it may begin with empty lines, which the parser does not report.
                self._enter(_Phase.HEADERS)
            piece = data[start : start + _SLICE_BYTES]
            self._unfinished_bytes += len(piece)
            super().data_received(piece)
            self._check_size()

    def _check_size(self) -> None:
        if self._phase is _Phase.HEADERS and self._unfinished_bytes > self._limits.header_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._phase is _Phase.BODY and self._unfinished_bytes > self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_begin(self) -> None:
        if self._is_refused:
            return
        super().on_message_begin()
        self._enter(_Phase.HEADERS)
        self._has_begun = True

    def on_headers_complete(self) -> None:
        if self._is_refused:
            return
        if _declared_length(self.headers) > self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        self._before_request()
        super().on_headers_complete()
        self._enter(_Phase.BODY)

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_refused:
            return
        super().on_message_complete()
        self._enter(_Phase.NOTHING)

    def _enter(self, phase: _Phase) -> None:
        self._phase, self._unfinished_bytes, self.since = phase, 0, self.loop.time()
        self._has_begun = self._has_begun and phase is not _Phase.NOTHING
        # One timer for the connection, which looks when it is due: a new one in each phase would cost each request.
        if self._timer is None and phase is not _Phase.NOTHING:
            self._start_timer(self._seconds_left)

    @property
    def _seconds_left(self) -> float:
        allowed = self._limits.header_seconds if self._phase is _Phase.HEADERS else self._limits.body_seconds
        return self.since + allowed - self.loop.time()

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._check_time)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_time(self) -> None:
        self._timer = None
        if self._phase is _Phase.NOTHING:
            return
        if (left := self._seconds_left) > 0:
            self._start_timer(left)
        elif self._phase is _Phase.HEADERS and self._is_answering:
            # The answer to an earlier request of this connection is under way, for which reading may be paused.
            self._start_timer(self._limits.header_seconds)
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def awaits_client(self) -> bool:
        """Return whether the connection does nothing until its client sends more."""
        return self._phase is _Phase.BODY or not self._is_answering

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with ``status`` unless an answer has begun, and close. Nothing that follows is read."""
        self._stop_timer()
        self._is_refused = True
        _log.debug("http.request_rejected", status=status.value, phase=self._phase.value)
        if self._has_begun and self._may_answer() and not self.transport.is_closing():
            self.transport.write(_response(status))
        self.transport.close()

    def _may_answer(self) -> bool:
        """Return whether the next bytes to the client are the answer to the request that it is sending."""
        if self._phase is _Phase.HEADERS:
            return not self._is_answering
        return not self.pipeline and (self.cycle is None or not self.cycle.response_started)

    def _make_room(self) -> bool:
        """Close the connection that has awaited its client for the longest time. Return whether there was one."""
        peers = cast("set[BoundedProtocol]", self.connections)
        waiting = [peer for peer in peers if peer.awaits_client and not peer.transport.is_closing()]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda peer: peer.since)
        # Counted out here: the loop reports the loss of the connection later.
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True


def _declared_length(headers: list[tuple[bytes, bytes]]) -> int:
    """Return the declared length of the body. The parser refuses a value that is no number."""
    declared = (value.strip() for name, value in headers if name == b"content-length")
    return max((int(value) for value in declared if value.isdigit()), default=0)


def _response(status: HTTPStatus) -> bytes:
    text = f"{status.phrase}\n"
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        f"Cache-Control: no-store\r\nConnection: close\r\n\r\n{text}"
    ).encode()
