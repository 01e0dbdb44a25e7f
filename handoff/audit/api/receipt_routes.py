"""`POST /receipts`: an institution asks what the log says of its own events. Never an offset, never another's."""

import hashlib
import secrets
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handoff.adapters.postgres.node_store import store_errors
from handoff.audit.context import InAudit
from handoff.record.events.base import JurisdictionId
from handoff.web.context import only_known_parameters
from handoff.web.problems import MALFORMED, UNAUTHORIZED
from handoff.web.request_bodies import bounded_body, require_json
from handoff.web.validation_errors import invalid_body

MOST = 500
# Ids and brackets of that many events, with room for white space.
_BODY_LIMIT_BYTES = 128 * 1024

_BEARER = HTTPBearer(auto_error=False, scheme_name="member", description="A member's own token at the audit")
_COVERED = """
SELECT entries.subject, entries.event_id, receipts.note
  FROM unnest($2::text[], $3::uuid[]) AS asked (subject, event_id)
  JOIN timeline.entries ON entries.subject = asked.subject AND entries.event_id = asked.event_id
  JOIN proof.receipts USING (record_offset)
 WHERE entries.emitter = $1 AND entries.verdict IN ('effective', 'ineffective')
"""


class Named(BaseModel):
    """An event: the case that it is about, or the jurisdiction, and its id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: UUID | JurisdictionId
    id: UUID


class Wanted(BaseModel):
    """The events whose receipts are asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: tuple[Named, ...] = Field(max_length=MOST)


class Received(Named):
    """An event of the caller's that a checkpoint covers, with the log's signed word for it."""

    receipt: str = Field(description="A signed note: record hash and checkpoint size")


class Receipts(BaseModel):
    """The receipts there are; an event without one is not covered yet, or not the caller's."""

    model_config = ConfigDict(frozen=True)

    receipts: tuple[Received, ...]


async def caller(audit: InAudit, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]) -> str:
    """The member whose token came with the request."""
    given = hashlib.sha256(credentials.credentials.encode()).hexdigest() if credentials is not None else ""
    found = [member for member, known in audit.callers.items() if secrets.compare_digest(known, given)]
    if not found:
        raise UNAUTHORIZED.error(headers={"WWW-Authenticate": 'Bearer realm="handoff"'})
    return found[0]


async def wanted(request: Request) -> Wanted:
    """The body of the request, bounded and strictly parsed."""
    raw = await bounded_body(request, _BODY_LIMIT_BYTES)
    require_json(request)
    try:
        return Wanted.model_validate_json(raw, strict=True)
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise MALFORMED.error() from None
        raise invalid_body(error, Wanted) from None


async def give_receipts(
    audit: InAudit, member: Annotated[str, Depends(caller)], asked: Annotated[Wanted, Depends(wanted)]
) -> Receipts:
    """The receipts of the caller's own events, for those that a checkpoint covers."""
    rows = await _covered(audit.cases.pool, member, asked.events)
    return Receipts(receipts=tuple(_received(row) for row in rows))


async def _covered(pool: asyncpg.Pool, member: str, events: tuple[Named, ...]) -> list[Any]:
    subjects, ids = [str(event.case) for event in events], [event.id for event in events]
    with store_errors():
        found: list[Any] = await pool.fetch(_COVERED, member, subjects, ids)
        return found


def _received(row: Any) -> Received:
    return Received(case=row["subject"], id=row["event_id"], receipt=row["note"])


def receipts_router() -> APIRouter:
    """The route of this module."""
    router = APIRouter(dependencies=[Depends(only_known_parameters)])
    schema = {"$ref": "#/components/schemas/Wanted"}
    router.post(
        "/receipts",
        operation_id="giveReceipts",
        tags=["receipts"],
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )(give_receipts)
    return router
