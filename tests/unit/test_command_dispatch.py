"""A command that is dispatched directly is answered as the application's own routes answer it."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from handoff.domain.commands import Command
from handoff.domain.decide import About, InvalidField, Refusal
from handoff.domain.own_keys import KeyStatus
from handoff.node.commands.results import (
    IdempotencyConflict,
    InvalidCommand,
    OwnKeyEnded,
    PreconditionFailed,
    Refused,
    Stored,
    StoreUnavailable,
)
from handoff.record.codes import State
from handoff.web.apis import AGENCY_API
from handoff.web.app import create_app
from handoff.web.command_dispatch import CommandDispatch
from handoff.web.request_log import REQUEST_ID_HEADER

_ID = UUID("00000000-0000-4000-8000-000000000001")
_HEADERS = {"Authorization": "Bearer secret", "Content-Type": "application/json"}
_PATHS = [route.path.format(case=_ID, referral=_ID, basis=_ID) for route in AGENCY_API.commands]
_ERRORS: Sequence[Exception | None] = (
    None,
    Refused(Refusal(State.CANCELLED, State.CANCELLED)),
    InvalidCommand(InvalidField("time", "is in the future")),
    PreconditionFailed(State.CANCELLED, 3),
    IdempotencyConflict(),
    OwnKeyEnded(KeyStatus.REVOKED, ["key"]),
    StoreUnavailable("gone"),
    LookupError("a mistake in the code"),
)


class _Desk:
    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def submit(self, _command: Command, about: About, **_options: Any) -> Stored:
        if self._error is not None:
            raise self._error
        return Stored((_ID,), about)

    async def case(self, _case: UUID) -> None:
        return None


def _app(error: Exception | None, *, dispatches: bool) -> FastAPI:
    app = create_app(_Desk(error), member="police", token="secret")  # type: ignore[arg-type]
    if not dispatches:
        app.user_middleware = [layer for layer in app.user_middleware if layer.cls is not cast("Any", CommandDispatch)]
    return app


async def _answers(app: FastAPI, requests: Sequence[httpx.Request]) -> list[tuple[int, dict[str, str], bytes]]:
    transport = httpx.ASGITransport(app)
    answers = [await transport.handle_async_request(request) for request in requests]
    return [
        (
            answer.status_code,
            {n: v for n, v in answer.headers.items() if n != REQUEST_ID_HEADER.lower()},
            await answer.aread(),
        )
        for answer in answers
    ]


def _request(method: str, path: str, body: str = "{}", headers: dict[str, str] = _HEADERS) -> httpx.Request:
    return httpx.Request(method, f"http://node{path}", content=body, headers=headers)


@pytest.mark.parametrize("error", _ERRORS, ids=lambda error: type(error).__name__)
async def test_a_dispatched_command_is_answered_as_a_routed_one(error: Exception | None) -> None:
    requests = [
        *(_request("POST", path) for path in _PATHS),
        _request("POST", "/cases", '{"entry_point": "police_call", "reporting_delay": "same_day"}'),
        _request("POST", "/cases?filter=1"),
        _request("POST", "/cases", "{"),
        _request("POST", "/cases", headers={}),
        _request("POST", "/cases/not-an-id/links"),
        _request("POST", "/cases/"),
        _request("POST", "/nothing/links"),
        *(_request(method, "/cases") for method in ("GET", "HEAD", "PUT", "OPTIONS", "DELETE")),
    ]
    dispatched = await _answers(_app(error, dispatches=True), requests)
    assert dispatched == await _answers(_app(error, dispatches=False), requests)
    assert {status for status, _, _ in dispatched} > {401, 404, 405, 422}


async def test_every_command_of_the_catalogue_is_dispatched() -> None:
    """Without the application's own routes, a command is still answered."""
    app = _app(None, dispatches=True)
    app.router.routes.clear()
    answers = await _answers(app, [_request("POST", path) for path in _PATHS])
    assert 404 not in {status for status, _, _ in answers}
