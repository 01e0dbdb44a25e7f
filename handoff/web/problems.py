"""Problems: what a caller is told when something is not done, in the form of RFC 9457.

Every problem has a stable code from the one table here; ``type`` is the address of its explanation. None repeats a
value that the caller sent; the name of a field that does not exist is given back to the caller alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from handoff.record.codes import State

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its status, its title, and what the caller can do about it."""

    status: HTTPStatus
    title: str
    remedy: str


NODE_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "malformed": Kind(
            HTTPStatus.BAD_REQUEST,
            "The body is not strict JSON",
            "Send one JSON object in UTF-8, without a byte order mark, equal keys, NaN or deep nesting.",
        ),
        "header_malformed": Kind(
            HTTPStatus.BAD_REQUEST, "A header is not of the expected form", "Correct the header that the problem names."
        ),
        "unauthorized": Kind(
            HTTPStatus.UNAUTHORIZED, "No valid bearer token", "Send this member's token as `Authorization: Bearer …`."
        ),
        "unknown_path": Kind(HTTPStatus.NOT_FOUND, "There is nothing at this path", "See /openapi.json for the paths."),
        "unknown_case": Kind(
            HTTPStatus.NOT_FOUND,
            "This member has no part in such a case",
            "Check the case's id; a case is known here once this member opened it or was asked for something in it.",
        ),
        "unknown_referral": Kind(
            HTTPStatus.NOT_FOUND,
            "This member is no side of such a referral",
            "Check the ids of the case and of the referral.",
        ),
        "unknown_escalation": Kind(
            HTTPStatus.NOT_FOUND, "There is no such open escalation", "Read /escalations for those that are open."
        ),
        "method_not_allowed": Kind(
            HTTPStatus.METHOD_NOT_ALLOWED, "This path has no such method", "Use a method that the Allow header names."
        ),
        "refused": Kind(
            HTTPStatus.CONFLICT,
            "The rules do not allow this now",
            "`reason` says why: a state's name, or a code. Read the referral again before deciding anew.",
        ),
        "precondition_failed": Kind(
            HTTPStatus.PRECONDITION_FAILED,
            "The referral has moved on since it was read",
            "Read the referral again, and send the command with its new ETag if it still applies.",
        ),
        "oversize": Kind(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large", "No command is larger than 15 KiB."
        ),
        "unsupported_media_type": Kind(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body is not declared as JSON",
            "Send `Content-Type: application/json`.",
        ),
        "not_valid": Kind(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "A field or parameter is not valid",
            "`faults` names each field, what is wrong with it and what is allowed.",
        ),
        "idempotency_key_reused": Kind(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This Idempotency-Key came with another request before",
            "Use a new key for every new request.",
        ),
        "internal": Kind(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "The service has an error of its own",
            "Report the X-Request-Id; repeating the request with its Idempotency-Key is safe.",
        ),
        "unavailable": Kind(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The service cannot store anything at the moment",
            "Repeat the request with its Idempotency-Key after the time in Retry-After.",
        ),
    }
)
"""Code → kind, for every problem that a member's API can answer with."""

READING_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "not_signed_in": Kind(
            HTTPStatus.UNAUTHORIZED,
            "Nobody is signed in",
            "Come in by a one-time link, or send the token of the auditors' system as `Authorization: Bearer …`.",
        ),
        "case_not_recorded": Kind(
            HTTPStatus.NOT_FOUND, "Nothing about such a case stands on the record", "Check the case's id."
        ),
        "purpose_required": Kind(
            HTTPStatus.PRECONDITION_REQUIRED,
            "A case is read for a purpose, and none was given",
            "Send `Read-Purpose` with one of its codes; a session is asked once for each case.",
        ),
        "not_proven_yet": Kind(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "No checkpoint that enough have cosigned covers the case yet",
            "Ask again after the next checkpoint.",
        ),
        "access-not-recorded": Kind(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The read could not be recorded, so nothing is shown",
            "Try again after the time in Retry-After.",
        ),
    }
)
"""Code → kind, for what only somebody who reads across institutions can meet."""

KINDS: Mapping[str, Kind] = MappingProxyType({**NODE_KINDS, **READING_KINDS})
"""Code → kind, for every problem there is."""


class Fault(BaseModel):
    """What is wrong with one field or parameter, and what is allowed in its place."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Where it stands, as in `offered.0.service`")
    problem: str
    allowed: tuple[str, ...] = ()


class Problem(BaseModel):
    """Why a request was not done (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Where the problem's kind is explained", examples=["/problems/refused"])
    code: str = Field(description="The problem's kind; stable", examples=["refused"])
    title: str
    status: int
    detail: str
    reason: str | None = Field(None, description="Of a refusal: the rule's code, or the state that forbids it")
    state: State | None = Field(None, description="Of a refusal: the referral's state as known here")
    seen: int | None = Field(None, description="Of a refusal: how many of the referral's events are known here")
    faults: tuple[Fault, ...] = ()


class Unsuited(Exception):
    """A request that is answered with a problem; ``headers`` go with the answer."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.headers = dict(headers or {})


def problem(code: str, detail: str | None = None, **members: Any) -> Problem:
    """The problem of that code; without a ``detail`` of its own it says what the caller can do."""
    kind = KINDS[code]
    return Problem(
        type=f"/problems/{code}",
        code=code,
        title=kind.title,
        status=kind.status.value,
        detail=detail or kind.remedy,
        **members,
    )


def unsuited(code: str, detail: str | None = None, **members: Any) -> Unsuited:
    """The exception that ends a request with that problem."""
    return Unsuited(problem(code, detail, **members))


def answer(found: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP response that carries a problem."""
    body = found.model_dump_json(exclude_defaults=True)
    return Response(body, status_code=found.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def unknown(case: UUID | None, referral: UUID | None, escalation: UUID | None = None) -> Unsuited:
    """The problem of a path that names something this member has no part in."""
    if escalation is not None:
        return unsuited("unknown_escalation")
    if referral is not None:
        return unsuited("unknown_referral")
    return unsuited("unknown_case" if case is not None else "unknown_path")
