"""`POST /receipts`: a member requests the log's receipts of events that it sent or received.

The answer contains no position and no event that the member has no part in: both would show the activity of others.
"""

import hashlib
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from handoff.audit.access.case_access import InAudit
from handoff.record.envelope import Identity, SourceText
from handoff.record.events.base import JurisdictionId, StatusSubject
from handoff.record.uuid_text import Id
from handoff.web.problems import UNAUTHORIZED
from handoff.web.query_parameters import only_known_parameters
from handoff.web.request_bodies import read_body

MAX_EVENTS = 500
# Ids and brackets of that many events, with room for white space.
_BODY_LIMIT_BYTES = 128 * 1024

_BEARER = HTTPBearer(auto_error=False, scheme_name="member", description="The member's own token for the audit")


class EventReference(BaseModel):
    """An event: the case or the jurisdiction that it is about, its source and its id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: Id | JurisdictionId | StatusSubject
    source: SourceText = Field(description="/jurisdiction/generation/member")
    id: Id


class ReceiptRequest(BaseModel):
    """The events whose receipts are requested."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: tuple[EventReference, ...] = Field(max_length=MAX_EVENTS)


class EventReceipt(EventReference):
    """An event that the caller sent or received and that a checkpoint covers, with the receipt of the log."""

    receipt: str = Field(description="A signed note: checkpoint size, record hash, event, rules version and verdict")


class EventReceipts(BaseModel):
    """The available receipts. An event without one is not covered yet, or the caller neither sent nor received it."""

    model_config = ConfigDict(frozen=True)

    receipts: tuple[EventReceipt, ...]


async def _caller(
    context: InAudit, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
) -> str:
    given = hashlib.sha256(credentials.credentials.encode()).hexdigest() if credentials is not None else ""
    found = [member for member, known in context.callers.items() if secrets.compare_digest(known, given)]
    if not found:
        raise UNAUTHORIZED.error(headers={"WWW-Authenticate": 'Bearer realm="handoff"'})
    return found[0]


async def _receipt_request(request: Request) -> ReceiptRequest:
    # Read here and not by FastAPI: the size is bounded and the JSON parsed strictly.
    return await read_body(request, ReceiptRequest, _BODY_LIMIT_BYTES)


async def read_receipts(
    context: InAudit,
    member: Annotated[str, Depends(_caller)],
    requested: Annotated[ReceiptRequest, Depends(_receipt_request)],
) -> EventReceipts:
    """Return the receipts of events that the caller sent or received, for the events that a checkpoint covers."""
    events = [Identity(str(event.case), event.source, event.id) for event in requested.events]
    receipts = await context.cases.receipts(member, events)
    return EventReceipts(
        receipts=tuple(
            EventReceipt(case=one.subject, source=one.source, id=one.event_id, receipt=note)
            for one, note in receipts.items()
        )
    )


def receipts_router() -> APIRouter:
    """Return the route of this module."""
    router = APIRouter(dependencies=[Depends(only_known_parameters)])
    schema = {"$ref": f"#/components/schemas/{ReceiptRequest.__name__}"}
    router.post(
        "/receipts",
        operation_id="readReceipts",
        tags=["receipts"],
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )(read_receipts)
    return router
