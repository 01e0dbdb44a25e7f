"""One canonical log line for each request: the route's template, never its path, query, headers or body.

If the request stored a command, the line contains the ids of its events and nothing of their content.

This layer also handles unexpected errors. The caller gets a problem with the request's id. The log gets the error's
type and place, but not its text, which may quote the request.
"""

import secrets
import time
import traceback
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoff import telemetry
from handoff.web.problems import INTERNAL, problem_response

REQUEST_ID_HEADER = "X-Request-Id"
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class RequestLog:
    """The outermost middleware of the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("handoff.web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _LoggedRequest(self._log, scope, send)
        structlog.contextvars.clear_contextvars()
        try:
            await self._app(scope, receive, request.send)
        except Exception as error:  # noqa: BLE001 - the caller gets a problem, the log the error's type and place
            frames = traceback.extract_tb(error.__traceback__)
            where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
            self._log.error("web.request_failed", request_id=request.id, error=type(error).__name__, where=where)
            if request.status is None:
                await problem_response(INTERNAL.problem())(scope, receive, request.send)
        finally:
            request.write()


class _LoggedRequest:
    """A request with its id and the status of its response; writes its log line exactly once."""

    def __init__(self, log: Any, scope: Scope, send: Send) -> None:
        self.id = secrets.token_hex(8)
        self.status: int | None = None
        self._log = log
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._is_written = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            request_id = (REQUEST_ID_HEADER.lower().encode(), self.id.encode())
            message["headers"] = [*message.get("headers", ()), request_id]
            if "stored" in structlog.contextvars.get_contextvars():
                # Before the caller gets the response: a crash can then end the process and lose its database.
                self.write()
        await self._send(message)

    def write(self) -> None:
        """Write the log line unless it is written already."""
        if self._is_written:
            return
        self._is_written = True
        route = getattr(self._scope.get("route"), "path", "unmatched")
        seconds = time.perf_counter() - self._began
        # Any caller chooses the method, so an unknown one must not become a label.
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        telemetry.REQUEST_SECONDS.labels(method, route, str(self.status)).observe(seconds)
        self._log.info(
            "web.request_answered",
            request_id=self.id,
            method=self._scope["method"],
            route=route,
            status=self.status,
            duration_ms=round(seconds * 1000, 1),
        )
