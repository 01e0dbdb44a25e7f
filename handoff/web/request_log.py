"""One canonical log line for each request: the route's template, never its path, query, headers or body.

Where a command was stored the line names its events, and nothing of what they say.

An error that nobody foresaw ends here too: the caller gets a problem with the request's id, the log the error's type
and place, and not its text, which may quote what was sent.
"""

import secrets
import time
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoff.web.problems import answer, problem

REQUEST_ID_HEADER = "X-Request-Id"
_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})


class RequestLog:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("handoff.web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Seen(self._log, scope, send)
        structlog.contextvars.clear_contextvars()
        try:
            await self._app(scope, receive, request.send)
        except Exception as error:  # noqa: BLE001 - the caller gets a problem, the log the error's type and place
            self._log.error("request.failed", request_id=request.id, **_place_of(error))
            if request.status is None:
                await answer(problem("internal"))(scope, receive, request.send)
        finally:
            request.write()


class _Seen:
    """A request with its id, the status of its answer once that has begun, and its line, written once."""

    def __init__(self, log: Any, scope: Scope, send: Send) -> None:
        self.id = secrets.token_hex(8)
        self.status: int | None = None
        self._log = log
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._written = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            _add_header(message, REQUEST_ID_HEADER, self.id)
            if "stored" in structlog.contextvars.get_contextvars():
                # Before its caller hears of it: the process may end with the answer, and its database with it.
                self.write()
        await self._send(message)

    def write(self) -> None:
        """Writes the line, unless it is written."""
        if self._written:
            return
        self._written = True
        route = getattr(self._scope.get("route"), "path", "unmatched")
        write = self._log.debug if route in _QUIET else self._log.info
        write(
            "request",
            request_id=self.id,
            method=self._scope["method"],
            route=route,
            status=self.status,
            duration_ms=round((time.perf_counter() - self._began) * 1000, 1),
        )


def _add_header(message: MutableMapping[str, Any], name: str, value: str) -> None:
    message["headers"] = [*message.get("headers", ()), (name.lower().encode(), value.encode())]


def _place_of(error: Exception) -> dict[str, str]:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
    return {"error": type(error).__name__, "where": where}
