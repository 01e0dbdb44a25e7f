"""Commands read from requests: bounded, strictly parsed, then validated. No value of a body leaves this module."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from handoff.domain.commands import Command
from handoff.record import strict_json
from handoff.record.codes import RefusalCode
from handoff.record.errors import NotAnEvent
from handoff.web.faults import faults_in
from handoff.web.problems import unsuited

# A command's fields are its event's, which also needs room for its envelope and a request's snapshot of its basis.
BODY_LIMIT_BYTES = strict_json.MAX_EVENT_BYTES - 1024
_JSON = "application/json"


def reader(model: type[Command]) -> Callable[[Request], Awaitable[Command]]:
    """The dependency that reads a command of that model from a request."""

    async def read_command(request: Request) -> Command:
        raw = await body_of(request, BODY_LIMIT_BYTES)
        if not raw and is_empty(model):
            raw = b"{}"
        else:
            require_json(request)
        _require_strict(raw)
        command = _validated(model, raw)
        # Defaults are written out in the event, so that it can be larger than what was sent.
        if len(command.model_dump_json(exclude_none=True)) > BODY_LIMIT_BYTES:
            raise unsuited("oversize")
        return command

    return read_command


def is_empty(model: type[Command]) -> bool:
    """Whether nothing has to be said beside the command's name, so that the body may be left out."""
    return not any(field.is_required() for field in model.model_fields.values())


async def body_of(request: Request, limit: int) -> bytes:
    """The body, of at most ``limit`` bytes. Raises the problem of one that is larger or breaks off."""
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > limit:
                raise unsuited("oversize")
    except ClientDisconnect:
        raise unsuited("malformed") from None
    return bytes(raw)


def require_json(request: Request) -> None:
    """Raises the problem of a body that is not declared as JSON in UTF-8."""
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower()
    if media_type.strip().lower() != _JSON or charset not in {"", "charset=utf-8", 'charset="utf-8"'}:
        raise unsuited("unsupported_media_type")


def _require_strict(raw: bytes) -> None:
    try:
        strict_json.parse(raw)
    except NotAnEvent as error:
        if error.code is RefusalCode.OVERSIZE:
            raise unsuited("oversize") from None
        raise unsuited("malformed", f"The body is {error.reason}.") from None


def _validated(model: type[Command], raw: bytes) -> Command:
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        faults = faults_in(error, model)
        first = faults[0]
        raise unsuited("not_valid", f"{first.field} {first.problem}.", faults=faults) from None
