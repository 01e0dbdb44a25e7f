"""Routes that take commands: one for each row of the domain's command catalogues, made by one builder."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import TypeAdapter

from handoff.domain import commands as c
from handoff.domain.commands import Command
from handoff.domain.decide import About
from handoff.node.commands.results import Refused, Stored
from handoff.record.codes import State
from handoff.record.delivery import Verdict
from handoff.web.answers import StoredCommand
from handoff.web.arguments import Handler, answered, checked, ids_in_path, route_with
from handoff.web.context import BEARER, Context, InContext, authorized, context_of, only_known_parameters, wait_in
from handoff.web.problems import Unsuited, unknown, unsuited
from handoff.web.reading import is_empty, reader

# FastAPI hands a dependency that is not a coroutine to a thread: each would cost more than the command's storing.


async def _jurisdiction() -> About:
    return About()


async def _case(case: UUID) -> About:
    return About(case=case)


async def _basis(case: UUID, basis: UUID) -> About:
    return About(case=case, basis=basis)


async def _referral(case: UUID, referral: UUID) -> About:
    return About(case=case, referral=referral)


async def _escalation(reference: UUID) -> About:
    return About(escalation=reference)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is sent, what its path tells, and whether it adds something that has a place of its own."""

    path: str
    command: type[Command]
    about: Callable[..., Awaitable[About]]
    tag: str
    adds: bool = False


_IN_CASE = "/cases/{case}"
_IN_REFERRAL = f"{_IN_CASE}/referrals/{{referral}}"

AGENCY_PLACES = (
    Place("/cases", c.OpenCase, _jurisdiction, "cases", adds=True),
    *(Place(f"{_IN_CASE}/{name}", made, _case, "cases", adds=True) for name, made in c.CASE_COMMANDS.items()),
    Place(f"{_IN_CASE}/bases/{{basis}}/approval", c.ApproveBasis, _basis, "cases"),
    *(Place(f"{_IN_REFERRAL}/{name}", made, _referral, "referrals") for name, made in c.REFERRAL_COMMANDS.items()),
    *(Place(f"/{name}", made, _jurisdiction, "this member") for name, made in c.AGENCY_COMMANDS.items()),
)
"""What an agency can say."""

COORDINATION_PLACES = (
    *(Place(f"/directory/{name}", made, _jurisdiction, "directory") for name, made in c.COORDINATION_COMMANDS.items()),
    Place("/escalations/{reference}/acknowledgement", c.AcknowledgeEscalation, _escalation, "escalations"),
)
"""What the coordinator can say."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        pattern=r"^[!-~]+$",
        description="A repeat with the same key and body has no second effect and gets the same answer.",
    ),
]
Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="`wait=N` holds the answer for up to N seconds, until the record has judged the command.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=r'^(\*|"[0-9]{1,9}")$',
        description="The referral's ETag: the command is taken only if nothing has happened to it since.",
    ),
]


_KEY: TypeAdapter[Any] = TypeAdapter(IdempotencyKey)
_MATCH: TypeAdapter[Any] = TypeAdapter(IfMatch)


async def _seen(if_match: IfMatch = None) -> int | None:
    return int(if_match.strip('"')) if if_match not in (None, "*") else None


async def _no_precondition() -> None:
    return None


def add_places(router: APIRouter, places: tuple[Place, ...]) -> None:
    """One POST route for each place."""
    for place in places:
        endpoint, handle = _endpoint(place)
        router.add_api_route(
            place.path,
            endpoint,
            methods=["POST"],
            operation_id=operation_id(place.command),
            summary=(place.command.__doc__ or "").partition(";")[0].strip().rstrip("."),
            tags=[place.tag],
            status_code=202,
            response_model=StoredCommand,
            response_model_exclude_none=True,
            response_description="Stored: it survives any crash, and will be sent",
            responses=_judged(place),
            openapi_extra={"requestBody": _request_body(place.command)},
            route_class_override=route_with(handle),
        )


def operation_id(command: type[Command]) -> str:
    """The stable name of the operation that sends a command."""
    return command.__name__[0].lower() + command.__name__[1:]


def _judged(place: Place) -> dict[int | str, dict[str, Any]]:
    known = {"model": StoredCommand, "description": "Stored, and judged on the record: see `status`"}
    added = {"model": StoredCommand, "description": "Stored, and effective on the record"}
    return {200: known, 201: added} if place.adds else {200: known}


def _request_body(command: type[Command]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{command.__name__}"}
    return {"required": not is_empty(command), "content": {"application/json": {"schema": schema}}}


def _endpoint(place: Place) -> tuple[Callable[..., Any], Handler]:
    read = reader(place.command)
    precondition = _seen if issubclass(place.command, c.ReferralCommand) else _no_precondition

    async def submit(
        *,
        context: InContext,
        response: Response,
        about: Annotated[About, Depends(place.about)],
        seen: Annotated[int | None, Depends(precondition)],
        command: Annotated[Command, Depends(read)],
        idempotency_key: IdempotencyKey = None,
        prefer: Prefer = None,
    ) -> StoredCommand:
        stored = await _store(context, command, about, idempotency_key, seen)
        verdict = await _await_verdict(context, response, stored, prefer)
        response.status_code = _status(place, verdict)
        _point_to(response, place, stored)
        return StoredCommand.of(stored, verdict)

    async def handle(request: Request) -> Response:
        context = await context_of(request)
        await authorized(context, await BEARER(request))
        await only_known_parameters(request)
        response = Response()
        body = await submit(
            context=context,
            response=response,
            about=await place.about(**ids_in_path(request)),
            seen=await _seen(_header(request, "If-Match", _MATCH)) if precondition is _seen else None,
            idempotency_key=_header(request, "Idempotency-Key", _KEY),
            prefer=request.headers.get("Prefer"),
            command=await read(request),
        )
        return answered(body, response)

    return submit, handle


def _header(request: Request, name: str, form: TypeAdapter[Any]) -> Any:
    text = request.headers.get(name)
    return checked(form, text, "header", name) if text is not None else None


async def _store(
    context: Context, command: Command, about: About, idempotency_key: str | None, seen: int | None
) -> Stored:
    try:
        return await context.desk.submit(command, about, idempotency_key=idempotency_key, if_match=seen)
    except Refused as refused:
        raise await _as_problem(context, about, refused) from None


async def _as_problem(context: Context, about: About, refused: Refused) -> Unsuited:
    if await _is_unknown(context, about, refused):
        return unknown(about.case, about.referral, about.escalation)
    code, state = refused.refusal.code, refused.refusal.state
    return unsuited("refused", reason=code, state=state, seen=refused.seen)


async def _is_unknown(context: Context, about: About, refused: Refused) -> bool:
    if about.case is None:
        return about.escalation is not None and refused.refusal.code == State.ABSENT
    view = await context.desk.case(about.case)
    return view is None or (about.referral is not None and about.referral not in view.expected.referrals)


async def _await_verdict(context: Context, response: Response, stored: Stored, prefer: str | None) -> Verdict | None:
    if stored.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    wait = wait_in(prefer, context.wait_limit)
    if wait is None:
        return None
    response.headers["Preference-Applied"] = f"wait={wait:g}"
    return await context.desk.outcome(stored.events, wait)


def _status(place: Place, verdict: Verdict | None) -> int:
    if verdict is None:
        return 202
    return 201 if place.adds and verdict.is_effective else 200


def _point_to(response: Response, place: Place, stored: Stored) -> None:
    about = stored.about
    if not place.adds or about.case is None:
        return
    is_request = issubclass(place.command, c.RequestReferral)
    below = f"/referrals/{about.referral}" if is_request else ""
    response.headers["Location"] = f"/cases/{about.case}{below}"
