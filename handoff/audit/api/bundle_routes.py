"""Bundle of a case over HTTP: streamed in constant memory while it is read, once the read is recorded."""

from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from handoff.adapters.postgres.bundle_export import NoCheckpointCoversCase, UnknownCase
from handoff.adapters.postgres.node_store import store_errors
from handoff.audit.access.case_access import AuditContext, Auditor, InAudit, Purpose, open_case
from handoff.audit.audit_problems import CASE_NOT_RECORDED, NOT_PROVEN_YET
from handoff.audit.pages.audit_site import CasePageRoute
from handoff.audit.pages.replay_view import InCase
from handoff.record.uuid_text import Id
from handoff.web.pages.rendering import SECURITY_HEADERS
from handoff.web.query_parameters import only_known_parameters

_MEDIA_TYPE = "application/x-tar"


async def read_bundle(context: InAudit, auditor: Auditor, case: Id, read_purpose: Purpose = None) -> Response:
    """Stream what `handoff verify` needs to verify the case offline, without trusting this server."""
    await open_case(context, auditor, case, read_purpose, is_export=True)
    return await _bundle(context, case)


async def export_bundle(request: InCase) -> Response:
    """Stream the same bundle from a page."""
    await request.open(is_export=True)
    return await _bundle(request.context, request.case)


async def _bundle(context: AuditContext, case: UUID) -> Response:
    chunks = context.cases.bundle(case)
    # The first chunk is read before the answer starts: until then the status can still be an error.
    try:
        with store_errors():
            first = await anext(chunks)
    except UnknownCase:
        raise CASE_NOT_RECORDED.error() from None
    except NoCheckpointCoversCase:
        raise NOT_PROVEN_YET.error(headers={"Retry-After": "10"}) from None
    headers = {**SECURITY_HEADERS, "Content-Disposition": f'attachment; filename="case-{case}.bundle"'}
    return StreamingResponse(_prepend(first, chunks), media_type=_MEDIA_TYPE, headers=headers)


async def _prepend(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def bundle_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(dependencies=[Depends(only_known_parameters)])
    content = {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
    router.get(
        "/cases/{case}/bundle",
        operation_id="readBundle",
        tags=["cases"],
        response_class=StreamingResponse,
        responses={200: {"content": content, "description": "The bundle, in the format of docs/proof.md"}},
    )(read_bundle)
    page_routes = APIRouter(route_class=CasePageRoute, include_in_schema=False)
    page_routes.get("/timelines/{case}/exports/bundle")(export_bundle)
    router.include_router(page_routes)
    return router
