"""Static files are cached by the hash of their content and sent compressed."""

import gzip
import re
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from handoff.audit.pages.audit_site import audit_site
from handoff.config import DEFAULT_TIME_ZONE
from handoff.web.pages.static_files import PREFIX

SITE = audit_site(ZoneInfo(DEFAULT_TIME_ZONE))


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    app.mount(PREFIX, SITE.static_files)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://audit")


@pytest.mark.parametrize("name", ["pages.css", "timeline.css", "htmx.min.js", "mark.svg"])
async def test_a_file_is_cached_without_limit_under_the_hash_of_its_content(
    client: httpx.AsyncClient, name: str
) -> None:
    async with client:
        answer = await client.get(SITE.static_files.address(name))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert re.search(r"\.[0-9a-f]{16}\.", str(answer.url))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br", "gzip"), ("*", "gzip"), ("identity", None), ("gzip;q=0, br", None), ("br", None)],
)
async def test_a_file_is_compressed_for_those_that_accept_it(
    client: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    async with (
        client,
        client.stream("GET", SITE.static_files.address("htmx.min.js"), headers={"accept-encoding": accepted}) as answer,
    ):
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    content = gzip.decompress(raw) if coding else raw
    assert b"htmx" in content
    assert len(raw) < len(content) / 2 or coding is None


@pytest.mark.parametrize("path", ["/static/pages.css", "/static/pages.0123456789abcdef.css", "/static/../site.py"])
async def test_another_path_does_not_exist(client: httpx.AsyncClient, path: str) -> None:
    async with client:
        assert (await client.get(path)).status_code == 404


async def test_a_file_is_not_written(client: httpx.AsyncClient) -> None:
    async with client:
        answer = await client.post(SITE.static_files.address("pages.css"))
    assert answer.status_code == 405


def test_a_template_names_no_file_that_does_not_exist() -> None:
    with pytest.raises(KeyError):
        SITE.static_files.address("nothing.css")
