"""A case is read only with a purpose, and only after the read is committed."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio
from starlette.types import Message, Receive, Scope, Send

from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record import codec
from handoff.record.codes import ReadPurpose
from handoff.record.events.case import CaseRead
from handoff.record.topics import AUDIT
from tests.support.dsl.builders import nth_id
from tests.support.dsl.spec import CASE
from tests.support.parts.audited import NOW, READER, TOKEN, Opened, audit, databases, story, write_timeline
from tests.support.parts.stack import Jurisdictions

TIMELINE, PAGE = f"/cases/{CASE}/timeline", f"/timelines/{CASE}"
SYSTEM = {"Authorization": f"Bearer {TOKEN}"}
CALLERS = {member: hashlib.sha256(f"{member}'s token".encode()).hexdigest() for member in ("police", "shelter")}


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    made = database_jurisdictions.planned()
    await databases(made)
    await write_timeline(made, story())
    return made


@dataclass(frozen=True)
class Desk:
    """The audit's application, its client and its outbox."""

    http: httpx.AsyncClient
    opened: Opened

    async def reads(self) -> list[tuple[str, UUID, ReadPurpose]]:
        """Return the committed reads: case, reader and purpose, the oldest first."""
        rows = await self.opened.own.fetch("SELECT value FROM outbox ORDER BY position")
        events = [(event.subject, event.data) for event in (codec.decode(row["value"]) for row in rows)]
        return [(case, data.reader, data.purpose) for case, data in events if isinstance(data, CaseRead)]

    @asynccontextmanager
    async def session(self, reader: UUID = READER) -> AsyncIterator[httpx.AsyncClient]:
        """A client that signed in with a link."""
        link = await self.opened.sessions.create_link(reader, NOW)
        async with client(self.opened) as browser:
            assert (await browser.post(f"/enter/{link}")).status_code == 303
            yield browser


def client(opened: Opened, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(opened.app), base_url="http://audit", headers=headers)


@pytest_asyncio.fixture
async def desk(jurisdiction: Jurisdiction) -> AsyncIterator[Desk]:
    owner = await asyncpg.connect(jurisdiction.postgres_settings(AUDIT, "owner").dsn)
    await owner.execute("TRUNCATE outbox, openings, sessions, sign_in_links")
    await owner.close()
    async with audit(jurisdiction, callers=CALLERS) as opened, client(opened, **SYSTEM) as http:
        yield Desk(http, opened)


async def test_a_repeated_parameter_is_refused(desk: Desk) -> None:
    """One of the two values would be ignored, and another case or time would be shown than the caller asked for."""
    answer = await desk.http.get(f"{TIMELINE}?as_of=now&as_of=now")
    assert answer.json()["faults"] == [{"field": "as_of", "problem": "is given more than once"}]
    async with desk.session() as browser:
        shown = await browser.get(f"{PAGE}?agency=police&agency=shelter")
    assert (shown.status_code, shown.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert await desk.reads() == []


async def test_a_read_needs_a_purpose(desk: Desk) -> None:
    """Without one the answer names the codes and has no content of the case, and no read is recorded."""
    answer = await desk.http.get(TIMELINE)
    assert (answer.status_code, answer.json()["code"]) == (428, "purpose_required")
    assert "police" not in answer.text
    assert await desk.reads() == []


async def test_the_read_is_in_the_outbox_before_the_first_byte_of_the_answer(desk: Desk) -> None:
    """When the head of the answer is sent, another connection sees the committed event."""
    committed: list[int] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                committed.append(len(await desk.reads()))
            await send(message)

        await desk.opened.app(scope, receive, counted)

    transport = httpx.ASGITransport(watched)
    async with httpx.AsyncClient(transport=transport, base_url="http://audit", headers=SYSTEM) as http:
        assert (await http.get(TIMELINE, headers={"Read-Purpose": "breach"})).status_code == 200
    assert committed == [1]
    ((case, _, purpose),) = await desk.reads()
    assert (case, purpose) == (str(CASE), ReadPurpose.BREACH)


async def test_further_views_of_an_opened_case_are_the_same_read(desk: Desk) -> None:
    """Every view and every step of the slider of a case that the session has just opened; the purpose is asked once."""
    async with desk.session() as browser:
        assert (await browser.get(PAGE)).status_code == 428
        await browser.post(f"{PAGE}/purpose", data={"purpose": "audit"})
        for below in ("", "/lanes", "/questions", "/record?step=3", "?step=5&agency=police"):
            shown = await browser.get(PAGE + below)
            assert shown.status_code == 200
            assert 'id="replay"' in shown.text
    assert await desk.reads() == [(str(CASE), READER, ReadPurpose.AUDIT)]


async def test_every_export_is_a_separate_read(desk: Desk) -> None:
    """Every export and bundle, and every read with another purpose."""
    headers = {"Read-Purpose": "audit"}
    for path in (TIMELINE, f"{PAGE}/exports/csv", f"{PAGE}/exports/xes", f"/cases/{CASE}/bundle"):
        assert (await desk.http.get(path, headers=headers)).status_code == 200
    assert (await desk.http.get(TIMELINE, headers={"Read-Purpose": "supervise"})).status_code == 200
    assert [purpose for _, _, purpose in await desk.reads()] == [ReadPurpose.AUDIT] * 4 + [ReadPurpose.SUPERVISE]


@pytest.mark.parametrize("question", ["timeline?as_of", "replay/waits?as_of", "diff?from"])
async def test_a_question_about_a_date_before_year_1_is_not_valid(desk: Desk, question: str) -> None:
    """The empty date of other systems, with their offset."""
    path = f"/cases/{CASE}/{question}=0001-01-01T00:00:00%2B02:00"
    answer = await desk.http.get(path, headers={"Read-Purpose": "audit"})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_valid")


async def test_a_view_after_a_quarter_of_an_hour_is_another_read(desk: Desk, jurisdiction: Jurisdiction) -> None:
    """The purpose is not asked again, but the further read is recorded."""
    await desk.http.get(TIMELINE, headers={"Read-Purpose": "audit"})
    for minutes, reads in ((14, 1), (16, 2)):
        async with audit(jurisdiction, now=NOW + timedelta(minutes=minutes)) as later, client(later, **SYSTEM) as http:
            assert (await http.get(TIMELINE)).status_code == 200
        assert len(await desk.reads()) == reads


async def test_another_session_is_asked_again(desk: Desk) -> None:
    """Each person names a purpose of their own."""
    async with desk.session() as first, desk.session(nth_id(93)) as second:
        await first.post(f"{PAGE}/purpose", data={"purpose": "audit"})
        assert 'id="replay"' not in (await second.get(PAGE)).text
        await second.post(f"{PAGE}/purpose", data={"purpose": "survivor_request"})
    assert len({reader for _, reader, _ in await desk.reads()}) == 2


@asynccontextmanager
async def no_right_to_store(jurisdiction: Jurisdiction) -> AsyncIterator[None]:
    owner = await asyncpg.connect(jurisdiction.postgres_settings(AUDIT, "owner").dsn)
    try:
        await owner.execute("REVOKE INSERT ON outbox FROM handoff_node")
        yield
    finally:
        await owner.execute("GRANT INSERT ON outbox TO handoff_node")
        await owner.close()


@asynccontextmanager
async def database_away(jurisdiction: Jurisdiction) -> AsyncIterator[None]:
    database = f"{jurisdiction.name}_{AUDIT}"
    operator = await asyncpg.connect(jurisdiction.postgres.dsn())
    try:
        await operator.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        await operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
        yield
    finally:
        await operator.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        await operator.close()


@pytest.mark.parametrize("outage", [no_right_to_store, database_away])
async def test_a_read_that_cannot_be_recorded_is_refused(desk: Desk, jurisdiction: Jurisdiction, outage: Any) -> None:
    """API, page and export answer access-not-recorded without content of the case; the timeline is readable."""
    async with desk.session() as browser:
        await browser.post(f"{PAGE}/purpose", data={"purpose": "technical"})
        async with outage(jurisdiction):
            answer = await desk.http.get(TIMELINE, headers={"Read-Purpose": "audit"})
            assert (answer.status_code, answer.json()["code"]) == (503, "access-not-recorded")
            assert "retry-after" in answer.headers
            page = await browser.post(f"{PAGE}/purpose", data={"purpose": "audit"})
            assert (page.status_code, "access-not-recorded" in page.text) == (503, True)
            export = await browser.get(f"{PAGE}/exports/csv")
            assert (export.status_code, "access-not-recorded" in export.text) == (503, True)
        for text in (answer.text, page.text, export.text):
            assert "shelter" not in text
            assert "referral" not in text
        assert (await browser.post(f"{PAGE}/purpose", data={"purpose": "audit"})).status_code == 303


async def test_a_read_of_an_unknown_case_is_not_recorded(desk: Desk) -> None:
    """A mistyped id gets 404 and leaves no trace on the record."""
    answer = await desk.http.get(f"/cases/{nth_id(94)}/timeline", headers={"Read-Purpose": "audit"})
    assert (answer.status_code, answer.json()["code"]) == (404, "case_not_recorded")
    assert await desk.reads() == []


@pytest.mark.parametrize("path", [TIMELINE, PAGE, f"{PAGE}/exports/pdf", f"/cases/{CASE}/bundle", "/"])
async def test_access_needs_a_session_or_the_auditors_token(desk: Desk, path: str) -> None:
    """No credentials, a wrong token, a member's token and a guessed session get 401."""
    for headers in ({}, {"Authorization": "Bearer police's token"}, {"Cookie": "session=guessed"}):
        async with client(desk.opened, **headers) as stranger:
            assert (await stranger.get(path, headers={"Read-Purpose": "audit"})).status_code == 401


async def test_a_link_signs_in_once_within_an_hour(desk: Desk) -> None:
    """Fetching the link does not use it up, its form does; after an hour it is invalid."""
    link, late = (
        await desk.opened.sessions.create_link(READER, NOW),
        await desk.opened.sessions.create_link(READER, NOW - timedelta(hours=2)),
    )
    async with client(desk.opened) as browser:
        assert (await browser.get(f"/enter/{link}")).status_code == 200
        entered = await browser.post(f"/enter/{link}")
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
    async with client(desk.opened) as thief:
        assert (await thief.post(f"/enter/{link}")).status_code == 401
        assert (await thief.post(f"/enter/{late}")).status_code == 401
        assert (await thief.get("/")).status_code == 401


async def test_the_database_holds_no_token(desk: Desk) -> None:
    """The tables hold hashes only, so that a copy of them opens no session."""
    link = await desk.opened.sessions.create_link(READER, NOW)
    async with desk.session() as browser:
        kept = await desk.opened.own.fetch("SELECT token_hash FROM sign_in_links UNION SELECT token_hash FROM sessions")
        tokens = {link, browser.cookies["session"]}
    assert not {row["token_hash"] for row in kept} & {token.encode() for token in tokens}
    assert {hashlib.sha256(token.encode()).digest() for token in tokens} <= {row["token_hash"] for row in kept}


async def test_signing_out_ends_the_session(desk: Desk) -> None:
    """A copied cookie is invalid afterwards."""
    async with desk.session() as browser:
        kept = browser.cookies["session"]
        await browser.post("/leave")
    async with client(desk.opened, Cookie=f"session={kept}") as other:
        assert (await other.get("/")).status_code == 401


async def test_a_form_of_another_site_is_refused(desk: Desk) -> None:
    """Another site cannot submit a purpose in an auditor's name."""
    async with desk.session() as browser:
        for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await browser.post(f"{PAGE}/purpose", data={"purpose": "audit"}, headers=headers)
            assert answer.status_code == 403
    assert await desk.reads() == []


async def test_the_purpose_form_redirects_within_the_case_only(desk: Desk) -> None:
    """To the requested page of the case, and to the page of the case if another address was requested."""
    async with desk.session() as browser:
        wanted = {"purpose": "audit", "then": f"{PAGE}/lanes?step=2"}
        assert (await browser.post(f"{PAGE}/purpose", data=wanted)).headers["location"] == f"{PAGE}/lanes?step=2"
        for elsewhere in ("//elsewhere.example", "https://elsewhere.example", f"{PAGE}.elsewhere.example"):
            led = await browser.post(f"{PAGE}/purpose", data={"purpose": "audit", "then": elsewhere})
            assert led.headers["location"] == PAGE


async def test_pages_load_nothing_from_other_sites_and_are_not_cached(desk: Desk) -> None:
    """A strict content security policy, without framing, without caching."""
    page = await desk.http.get(PAGE)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert " style=" not in page.text


async def ask(desk: Desk, token: str | None, *events: dict[str, str]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with client(desk.opened, **headers) as member:
        return await member.post("/receipts", json={"events": list(events)})


async def test_a_member_gets_receipts_for_what_it_sent_or_received_and_for_nothing_else(
    desk: Desk, jurisdiction: Jurisdiction
) -> None:
    """The police request every event. Others' events, events that no checkpoint covers, and positions are missing."""
    entries = story().entries
    events = [entry.event for entry in entries]
    wanted = [{"case": event.subject, "source": event.source, "id": str(event.id)} for event in events]
    answer = await ask(desk, "police's token", *wanted)
    assert answer.status_code == 200
    given = {one["id"] for one in answer.json()["receipts"]}
    own = {str(event.id) for event in events if event.emitter == "police"}
    received = {str(entry.event.id) for entry in entries if "police" in entry.recipients}
    assert own < given <= own | received
    assert len(own | received) < len(events)
    assert {name for one in answer.json()["receipts"] for name in one} == {"case", "source", "id", "receipt"}
    assert await desk.reads() == []


async def test_receipts_are_for_members_and_bounded(desk: Desk) -> None:
    """No token, a wrong token and the auditors' token get 401; more than 500 events and an invalid event 422."""
    source = "/prizren/1/police"
    event = {"case": str(CASE), "source": source, "id": str(CASE)}
    for stranger in (None, "guessed", TOKEN):
        assert (await ask(desk, stranger, event)).status_code == 401
    assert (await ask(desk, "police's token", *[event] * 501)).status_code == 422
    assert (await ask(desk, "police's token", event | {"case": "Not A Case"})).status_code == 422
    assert (await ask(desk, "police's token", event | {"case": "prizren"})).json() == {"receipts": []}
