"""A case's bundle over HTTP: streamed while it is read, in flat memory, once its read is recorded."""

from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from handoff.adapters.postgres.bundle_export import NothingProven, UnknownCase
from handoff.adapters.postgres.node_store import store_errors
from handoff.audit.context import Audit, Auditor, InAudit, Purpose, open_case
from handoff.audit.pages.case_view import InCase
from handoff.audit.pages.page_route import PageRoute
from handoff.audit.pages.rendering import HEADERS
from handoff.audit.problems import CASE_NOT_RECORDED, NOT_PROVEN_YET
from handoff.web.context import only_known_parameters

_MEDIA_TYPE = "application/x-tar"


async def give_bundle(audit: InAudit, auditor: Auditor, case: UUID, read_purpose: Purpose = None) -> Response:
    """All that is needed to verify the case offline with `handoff verify`, without trusting this server."""
    await open_case(audit, auditor, case, read_purpose, leaves=True)
    return await _bundle(audit, case)


async def take_bundle(asked: InCase) -> Response:
    """The same from a page."""
    await asked.open(leaves=True)
    return await _bundle(asked.audit, asked.case)


async def _bundle(audit: Audit, case: UUID) -> Response:
    """The answer; whether there is something to stream is known before it begins."""
    chunks = audit.cases.bundle(case)
    try:
        with store_errors():
            first = await anext(chunks)
    except UnknownCase:
        raise CASE_NOT_RECORDED.error() from None
    except NothingProven:
        raise NOT_PROVEN_YET.error(headers={"Retry-After": "10"}) from None
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="case-{case}.bundle"'}
    return StreamingResponse(_all(first, chunks), media_type=_MEDIA_TYPE, headers=headers)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def bundle_router() -> APIRouter:
    """The routes of this module."""
    router = APIRouter(dependencies=[Depends(only_known_parameters)])
    content = {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
    router.get(
        "/cases/{case}/bundle",
        operation_id="giveBundle",
        tags=["cases"],
        response_class=StreamingResponse,
        responses={200: {"content": content, "description": "The bundle, as docs/proof.md describes it"}},
    )(give_bundle)
    below_pages = APIRouter(route_class=PageRoute, include_in_schema=False)
    below_pages.get("/timelines/{case}/exports/bundle")(take_bundle)
    router.include_router(below_pages)
    return router
