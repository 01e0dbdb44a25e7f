"""The exports of a case: each is a read of its own, recorded before its first byte."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from handoff.audit.exports.csv_table import as_csv
from handoff.audit.exports.xes_log import as_xes
from handoff.audit.pages.case_view import InCase, Replay
from handoff.audit.pages.page_route import PageRoute
from handoff.audit.pages.rendering import HEADERS

exports = APIRouter(route_class=PageRoute, include_in_schema=False)


@exports.get("/timelines/{case}/exports/csv")
async def export_csv(asked: InCase) -> Response:
    """The entries that are shown, as a table."""
    replay = await asked.replay(leaves=True)
    size = replay.told.checkpoint.size if replay.told.checkpoint is not None else 0
    return _file(replay, as_csv(replay.entries, size), "text/csv; charset=utf-8", "csv")


@exports.get("/timelines/{case}/exports/xes")
async def export_xes(asked: InCase) -> Response:
    """The whole case as it stood, as an event log: a part of one would be mined for what is not so."""
    replay = await asked.replay(leaves=True)
    return _file(replay, as_xes(asked.case, replay.then.own), "application/xml", "xes")


@exports.get("/timelines/{case}/exports/pdf")
async def export_pdf(asked: InCase) -> Response:
    """The list as a printed page."""
    from handoff.audit.exports.pdf_report import as_pdf

    replay = await asked.replay(leaves=True)
    return _file(replay, await asyncio.to_thread(as_pdf, replay), "application/pdf", "pdf")


def _file(replay: Replay, content: str | bytes, media_type: str, suffix: Literal["csv", "xes", "pdf"]) -> Response:
    name = f"case-{replay.told.case_id}.{suffix}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers={**HEADERS, **disposition})
