"""A route whose arguments are read here, while FastAPI describes it from its endpoint's signature.

A dependency for each argument, FastAPI's own way, takes longer than deciding and storing a command.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

Handler = Callable[[Request], Awaitable[Response]]
_ID: TypeAdapter[UUID] = TypeAdapter(UUID)


def route_with(handle: Handler) -> type[APIRoute]:
    """A kind of route that ``handle`` answers, whatever its endpoint does."""

    class Handled(APIRoute):
        def get_route_handler(self) -> Any:
            return handle

    return Handled


def ids_in_path(request: Request) -> dict[str, UUID]:
    """The ids that a path names."""
    return {name: checked(_ID, text, "path", name) for name, text in request.path_params.items()}


def checked(form: TypeAdapter[Any], text: str, *place: str) -> Any:
    """``text`` if it is of that form; else a problem that names its place."""
    try:
        return form.validate_python(text)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**fault, "loc": place} for fault in faults]) from None


def answered(body: BaseModel, beside: Response) -> Response:
    """The answer with ``body`` and with what was said in ``beside``: its status and its headers."""
    headers = dict(beside.headers) | {"content-type": "application/json"}
    headers.pop("content-length", None)
    return Response(body.model_dump_json(exclude_none=True), beside.status_code, headers)
