"""Routes of the exports. Each export is a separate read, recorded before its first byte is sent."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from handoff.audit.exports.csv_table import as_csv
from handoff.audit.exports.xes_log import as_xes
from handoff.audit.pages.audit_site import CasePageRoute
from handoff.audit.pages.replay_view import InCase, ReplayView
from handoff.web.pages.rendering import SECURITY_HEADERS


async def export_csv(request: InCase) -> Response:
    """Export the entries that are shown, as a table."""
    view = await request.view(is_export=True)
    return _file(
        view, as_csv(view.entries, view.history.is_anchored, view.history.differing), "text/csv; charset=utf-8", "csv"
    )


async def export_xes(request: InCase) -> Response:
    """Export the case up to the chosen time as an event log, without filters: mining a part would mislead."""
    view = await request.view(is_export=True)
    return _file(view, as_xes(request.case, view.history_then.own, view.history.differing), "application/xml", "xes")


async def export_pdf(request: InCase) -> Response:
    """Export the list as a printable document."""
    from handoff.audit.exports.pdf_report import as_pdf

    view = await request.view(is_export=True)
    return _file(view, await asyncio.to_thread(as_pdf, view), "application/pdf", "pdf")


def export_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(route_class=CasePageRoute, include_in_schema=False)
    for suffix, endpoint in (("csv", export_csv), ("xes", export_xes), ("pdf", export_pdf)):
        router.get(f"/timelines/{{case}}/exports/{suffix}")(endpoint)
    return router


def _file(view: ReplayView, content: str | bytes, media_type: str, suffix: Literal["csv", "xes", "pdf"]) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="case-{view.history.case_id}.{suffix}"'}
    return Response(content, media_type=media_type, headers={**SECURITY_HEADERS, **disposition})
