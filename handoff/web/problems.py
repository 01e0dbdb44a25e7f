"""Problem details (RFC 9457): every error response of an API.

Each kind of problem has a stable code; the problem's ``type`` is the address of its explanation. A problem never
repeats a value from the request. It may repeat the name of an unknown field, to the caller alone.

An API publishes its kinds in ``ApiDefinition.problems``. The kinds below are those that every node can return.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from handoff.record.codes import CommandRefusal, IneffectiveReason, RefusalCode, State
from handoff.record.delivery import VerdictKind
from handoff.web.available_actions import AvailableAction
from handoff.web.reasons import Reason

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """An invalid field or parameter, and the values that are allowed."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Path of the field, as in `offered.0.service`")
    problem: str
    allowed: tuple[str, ...] = ()


class Problem(BaseModel):
    """Reason why a request failed (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Address of the explanation of this kind of problem", examples=["/problems/refused"])
    code: str = Field(description="Stable code of this kind of problem", examples=["refused"])
    title: str
    status: int
    detail: str
    reason: Reason | None = Field(
        None, description="Code of the rule that is against it, or the state that forbids it; `type` explains each"
    )
    state: State | None = Field(None, description="The referral's state as this member knows it")
    seen: int | None = Field(None, description="Number of the referral's events that are known here")
    allowed: tuple[AvailableAction, ...] | None = Field(
        None, description="What this member can do with the referral instead"
    )
    verdict: VerdictKind | None = Field(None, description="If ineffective: the verdict on the record")
    events: tuple[UUID, ...] | None = Field(
        None, description="If ineffective: ids of the events of the command, which are on the record"
    )
    end: int | None = Field(None, description="If the cursor is past the end: the last sequence of the feed")
    faults: tuple[Fault, ...] = ()


class ProblemError(Exception):
    """Ends a request with a problem. ``headers`` are added to the response."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of problem: its stable code, HTTP status and title, and what the caller can do about it.

    ``reasons`` are those that a problem of this kind can have.
    """

    code: str
    status: HTTPStatus
    title: str
    remedy: str
    reasons: tuple[Reason, ...] = ()

    def problem(self, detail: str | None = None, **members: Any) -> Problem:
        """Return a problem of this kind; the default ``detail`` is the remedy."""
        return Problem(
            type=f"/problems/{self.code}",
            code=self.code,
            title=self.title,
            status=self.status.value,
            detail=detail or self.remedy,
            **members,
        )

    def error(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> ProblemError:
        """Return the exception that ends a request with a problem of this kind."""
        return ProblemError(self.problem(detail, **members), headers)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the HTTP response that carries a problem."""
    body = problem.model_dump_json(exclude_defaults=True)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


MALFORMED = ProblemKind(
    "malformed",
    HTTPStatus.BAD_REQUEST,
    "The body is not strict JSON",
    "Send one JSON object in UTF-8, without a byte order mark, duplicate keys, NaN or deep nesting.",
)
HEADER_MALFORMED = ProblemKind(
    "header_malformed",
    HTTPStatus.BAD_REQUEST,
    "A header does not have the expected form",
    "Correct the header that the problem names.",
)
UNAUTHORIZED = ProblemKind(
    "unauthorized",
    HTTPStatus.UNAUTHORIZED,
    "No valid bearer token",
    "Send this member's token as `Authorization: Bearer …`.",
)
UNKNOWN_PATH = ProblemKind(
    "unknown_path", HTTPStatus.NOT_FOUND, "This path does not exist", "See /openapi.json for the paths."
)
UNKNOWN_CASE = ProblemKind(
    "unknown_case",
    HTTPStatus.NOT_FOUND,
    "This member has no part in such a case",
    "Check the case's id. A member knows a case once it has opened it or has received a request in it.",
)
UNKNOWN_REFERRAL = ProblemKind(
    "unknown_referral",
    HTTPStatus.NOT_FOUND,
    "This member is neither source nor target of such a referral",
    "Check the ids of the case and of the referral.",
)
UNKNOWN_ESCALATION = ProblemKind(
    "unknown_escalation",
    HTTPStatus.NOT_FOUND,
    "No such open escalation",
    "Read /escalations for those that are open.",
)
METHOD_NOT_ALLOWED = ProblemKind(
    "method_not_allowed",
    HTTPStatus.METHOD_NOT_ALLOWED,
    "This path does not support the method",
    "Use a method that the Allow header names.",
)
REFUSED = ProblemKind(
    "refused",
    HTTPStatus.CONFLICT,
    "The rules do not allow this command now",
    "`reason` is the referral's state or a code, `allowed` what can be sent instead.",
    (*State, *IneffectiveReason, *CommandRefusal),
)
CURSOR_PAST_END = ProblemKind(
    "cursor_past_end",
    HTTPStatus.CONFLICT,
    "The feed ends before this cursor",
    "The cursor belongs to another feed, or the node's database was replaced by an older one. `end` is the last "
    "sequence of this feed. An agency reads /feed/snapshot and continues from there; others read the "
    "feed from 0.",
)
INEFFECTIVE = ProblemKind(
    "ineffective",
    HTTPStatus.CONFLICT,
    "The command is on the record and has no effect",
    "It is stored and on the timeline. Never repeat it under a new key: read the case, then send what `allowed` names.",
    (*State, *IneffectiveReason, *RefusalCode),
)
PRECONDITION_FAILED = ProblemKind(
    "precondition_failed",
    HTTPStatus.PRECONDITION_FAILED,
    "The referral has changed since it was read",
    "Read the referral again. If the command still applies, send it with the new ETag.",
)
OVERSIZE = ProblemKind(
    "oversize", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large", "Send at most 15 KiB for a command."
)
UNSUPPORTED_MEDIA_TYPE = ProblemKind(
    "unsupported_media_type",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body is not declared as JSON",
    "Send `Content-Type: application/json`.",
)
NOT_VALID = ProblemKind(
    "not_valid",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "A field or parameter is not valid",
    "`faults` names each field, what is wrong with it and which values are allowed.",
)
IDEMPOTENCY_KEY_REUSED = ProblemKind(
    "idempotency_key_reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "This Idempotency-Key was already used for another request",
    "Use a new key for every new request.",
)
INTERNAL = ProblemKind(
    "internal",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Internal error",
    "Report the X-Request-Id. It is safe to repeat the request with its Idempotency-Key.",
)
OWN_KEY_ENDED = ProblemKind(
    "own_key_ended",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "This member's signing key is revoked or retired, so nothing that it sends would count",
    "Use the phone, and inform the operator of the node: the coordinator has to register a new key. Then repeat the "
    "request with its Idempotency-Key.",
)
UNAVAILABLE = ProblemKind(
    "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The service cannot store anything at the moment",
    "Repeat the request with its Idempotency-Key after the time in Retry-After.",
)

NODE_PROBLEMS = (
    MALFORMED,
    HEADER_MALFORMED,
    UNAUTHORIZED,
    UNKNOWN_PATH,
    UNKNOWN_CASE,
    UNKNOWN_REFERRAL,
    UNKNOWN_ESCALATION,
    METHOD_NOT_ALLOWED,
    REFUSED,
    INEFFECTIVE,
    CURSOR_PAST_END,
    PRECONDITION_FAILED,
    OVERSIZE,
    UNSUPPORTED_MEDIA_TYPE,
    NOT_VALID,
    IDEMPOTENCY_KEY_REUSED,
    INTERNAL,
    OWN_KEY_ENDED,
    UNAVAILABLE,
)
"""Every kind of problem that a member's API can return."""
