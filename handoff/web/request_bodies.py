"""Request bodies: bounded, strictly parsed, then validated. Errors never repeat a value of the body."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from handoff.domain.commands import Command
from handoff.record import strict_json
from handoff.record.errors import NotAnEvent
from handoff.web.problems import MALFORMED, OVERSIZE, UNSUPPORTED_MEDIA_TYPE
from handoff.web.validation_errors import invalid_body

CommandT = TypeVar("CommandT", bound=Command)
ModelT = TypeVar("ModelT", bound=BaseModel)

# A command's fields become its event's, which also needs room for its envelope and a request's snapshot of its basis.
BODY_LIMIT_BYTES = strict_json.MAX_EVENT_BYTES - 1024


async def read_command(request: Request, model: type[CommandT]) -> CommandT:
    """Return the command in a request's body. Raises the problem of a body that is not one."""
    command = await read_body(request, model, BODY_LIMIT_BYTES)
    # The event contains the defaults, so it can be larger than the body.
    if len(command.model_dump_json(exclude_none=True)) > BODY_LIMIT_BYTES:
        raise OVERSIZE.error()
    return command


async def read_body(request: Request, model: type[ModelT], limit: int) -> ModelT:
    """Return a request's body of at most ``limit`` bytes as ``model``. Raises the problem of a body that is not one."""
    _require_no_coding(request)
    raw = await _bounded_body(request, limit)
    if not raw and body_is_optional(model):
        raw = b"{}"
    else:
        _require_json(request)
    try:
        strict_json.parse(raw, limit)
        return model.model_validate_json(raw, strict=True)
    except NotAnEvent as error:
        raise MALFORMED.error(f"The body {error.reason}.") from None
    except ValidationError as error:
        raise invalid_body(error, model) from None


def body_is_optional(model: type[BaseModel]) -> bool:
    """Return whether a command has no required field, so that its body may be left out."""
    return not any(field.is_required() for field in model.model_fields.values())


async def _bounded_body(request: Request, limit: int) -> bytes:
    """Return the body, of at most ``limit`` bytes. Raises the problem of a larger or interrupted body."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        # Before any of it is read, so that nothing is waited for.
        raise OVERSIZE.error()
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > limit:
                raise OVERSIZE.error()
    except ClientDisconnect:
        raise MALFORMED.error() from None
    return bytes(raw)


def _require_no_coding(request: Request) -> None:
    """Raise the problem of a body that is declared as compressed: it is never decoded."""
    codings = ",".join(request.headers.getlist("content-encoding")).split(",")
    if any(coding.strip().lower() not in {"", "identity"} for coding in codings):
        raise UNSUPPORTED_MEDIA_TYPE.error(
            "The body has a content coding. Send it without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def _require_json(request: Request) -> None:
    """Raise the problem of a body that is not declared as JSON in UTF-8."""
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower()
    if media_type.strip().lower() != "application/json" or charset not in {"", "charset=utf-8", 'charset="utf-8"'}:
        raise UNSUPPORTED_MEDIA_TYPE.error()
