"""A browser gets a page for an unknown path, in its language; a program gets a problem."""

from typing import Any

import httpx
import pytest

from handoff.audit.api.definition import AUDIT_API
from handoff.audit.routes import AuditParts, add_audit_routes
from handoff.contract.openapi import UnusedDesk
from handoff.record.envelope import Source
from handoff.web.app import create_app

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def audit() -> httpx.AsyncClient:
    """The audit's application, which needs no database for an unknown path."""
    unused: Any = None
    app = create_app(UnusedDesk(), member="audit", token="", api=AUDIT_API)
    source = Source("prizren", 1, "audit")
    parts = AuditParts(source, token="", desk=UnusedDesk(), own=unused, timeline=unused, timeline_settings=unused)
    add_audit_routes(app, parts)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://audit")


@pytest.mark.parametrize("path", ["/nothing", "/timelines/a/b/c", "/static/nothing.css"])
@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "This page does not exist"),
        ("sq", "Kjo faqe nuk ekziston"),
        ("sr-Latn", "Ova stranica ne postoji"),
        ("sr-Cyrl", "Ова страница не постоји"),
    ],
)
async def test_a_browser_gets_a_page(audit: httpx.AsyncClient, path: str, language: str, title: str) -> None:
    """With the way back to the start page."""
    async with audit:
        shown = await audit.get(path, headers={"Accept": BROWSER, "Accept-Language": language})
    assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert title in shown.text
    assert 'href="/"' in shown.text


async def test_a_browser_that_reloads_the_address_of_a_form_gets_a_page(audit: httpx.AsyncClient) -> None:
    """The path exists for another method only."""
    async with audit:
        shown = await audit.get("/leave", headers={"Accept": BROWSER})
    assert (shown.status_code, shown.headers["Allow"]) == (405, "POST")
    assert "text/html" in shown.headers["content-type"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
async def test_a_program_gets_a_problem(audit: httpx.AsyncClient, accept: str) -> None:
    async with audit:
        answer = await audit.get("/nothing", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_path")
