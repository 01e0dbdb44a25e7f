"""Problems that a node's API returns for requests that fail."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid5

import httpx
import pytest
import pytest_asyncio
import structlog

from handoff.contract.openapi import document
from handoff.node.commands.desk import Desk
from handoff.node.commands.results import StoreUnavailable
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.codes import EntryPoint
from handoff.web.apis import AGENCY_API, COORDINATION_API, ApiDefinition
from handoff.web.app import create_app
from handoff.web.problems import NODE_PROBLEMS
from handoff.web.request_bodies import BODY_LIMIT_BYTES
from tests.support.dsl.builders import CASE, REFERRAL
from tests.support.parts.api import AUTHORIZED, OPENING, PLAN, RELEASE, TOKEN, Api, api
from tests.support.parts.stack import Jurisdictions

KINDS = {kind.code: kind for kind in NODE_PROBLEMS}
JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases(PLAN)


@pytest_asyncio.fixture(scope="module")
async def police(jurisdiction: Jurisdiction) -> AsyncIterator[Api]:
    async with api(jurisdiction.postgres_settings("police"), jurisdiction.plan) as running:
        yield running


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem in a response, after checking the members that every problem has."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    content: dict[str, Any] = answer.json()
    expected = {"type": f"/problems/{code}", "code": code, "status": status, "title": KINDS[code].title}
    assert content | expected == content
    assert content["detail"]
    return content


async def test_an_income_field_is_refused_by_its_name(police: Api) -> None:
    """The problem names the unknown field and the known ones; the value is neither in the response nor in the log."""
    with structlog.testing.capture_logs() as lines:
        answer = await police.post("/cases", {**OPENING, "household_income": "12345 EUR"})
    fault = is_problem(answer, 422, "not_valid")["faults"][0]
    assert fault["field"] == "household_income"
    assert "entry_point" in fault["allowed"]
    assert "12345" not in answer.text
    assert "income" not in json.dumps(lines)


async def test_an_unknown_code_is_refused_with_the_allowed_codes(police: Api) -> None:
    """The field is named, its codes are listed, and the value is not repeated."""
    answer = await police.post("/cases", {**OPENING, "entry_point": "carrier_pigeon"})
    content = is_problem(answer, 422, "not_valid")
    assert content["faults"][0]["field"] == "entry_point"
    assert content["faults"][0]["allowed"] == [code.value for code in EntryPoint]
    assert "pigeon" not in answer.text


async def test_a_fault_deep_in_a_body_is_named_by_its_path(police: Api) -> None:
    """The path leads through lists, and the problem of an unknown field lists the fields of its own object."""
    offered = [{"service": "legal_aid", "answer": "accepted", "note": "x"}]
    fault = is_problem(await police.post("/cases", {**OPENING, "offered": offered}), 422, "not_valid")["faults"][0]
    assert fault["field"] == "offered.0.note"
    assert fault["allowed"] == ["service", "answer"]


async def test_a_rule_between_fields_is_explained(police: Api) -> None:
    """A basis with two kinds of recipient is refused with the text of the rule."""
    case = await police.case()
    answer = await police.post(f"/cases/{case}/bases", {**RELEASE, "recipient": "shelter"})
    assert "exactly one of recipient" in is_problem(answer, 422, "not_valid")["detail"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON at line 1, column 2"),
        (b'{"entry_point":\n  "hotline",\n}', "is not JSON at line 3, column 1"),
        (b"[]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b'{"entry_point":"\xff\xfe"}', "is not UTF-8 at byte 17"),
        (b"\xff\xfe{\x00}\x00", "begins with a byte order mark"),
        (b'\xef\xbb\xbf{"entry_point":"hotline"}', "begins with a byte order mark"),
        (b'{"entry_point":"hotline","entry_point":"hotline"}', "has the same key twice in one object"),
        (b'{"entry_point":NaN}', "contains NaN, which is not JSON"),
        (b'{"entry_point":"\\ud800"}', "has an unpaired surrogate in a string"),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "is nested deeper than 8"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "is nested deeper than 8"),
        (b'{"a":' + b"9" * 9000 + b"}", "has a number of too many digits"),
    ],
)
async def test_a_body_that_is_not_strict_json_is_refused(police: Api, body: bytes, fault: str) -> None:
    """Two parsers could read it differently, so it is not read at all. The problem names the fault and its position."""
    answer = await police.http.post("/cases", content=body, headers=JSON)
    assert is_problem(answer, 400, "malformed")["detail"] == f"The body {fault}."


CODED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": bytes,
    "identity, gzip": gzip.compress,
}
"""Declared content coding → what is sent under it; under `br` the body itself."""


@pytest.mark.parametrize("coding", CODED)
async def test_a_body_in_a_content_coding_is_an_unsupported_media_type(police: Api, coding: str) -> None:
    """The body is never decoded, so what is declared as coded is not read as JSON either."""
    body = CODED[coding](json.dumps(OPENING).encode())
    answer = await police.http.post("/cases", content=body, headers={**JSON, "Content-Encoding": coding})
    is_problem(answer, 415, "unsupported_media_type")
    assert "identity" in answer.headers["accept-encoding"]


async def test_the_identity_coding_is_accepted(police: Api) -> None:
    """Some clients declare that they did not code the body."""
    answer = await police.post("/cases", OPENING, Content_Encoding="identity")
    assert answer.status_code == 202


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "iso-8859-2"])
async def test_another_encoding_than_utf_8_is_refused(police: Api, encoding: str) -> None:
    """Declared or not: the letters of a name differ between them."""
    body = json.dumps({**OPENING, "note": "\u0111"}, ensure_ascii=False).encode(encoding)
    answer = await police.http.post("/cases", content=body, headers=JSON)
    is_problem(answer, 400, "malformed")
    declared = {"Content-Type": f"application/json; charset={encoding}"}
    answer = await police.http.post("/cases", content=body, headers=declared)
    is_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        {**OPENING, "entry_point": "\x00"},
        {**OPENING, "\x00": 1},
        {**OPENING, "offered": {"a": {"b": 1}}},
        {**OPENING, "occurred_at": 10**400},
        {**OPENING, "occurred_at": "9999-12-31T23:59:59Z"},
        {**OPENING, "occurred_at": "2026-01-01T00:00:00"},
    ],
    ids=["nul", "nul name", "shape", "huge", "far", "no zone"],
)
async def test_odd_values_are_not_valid(police: Api, body: object) -> None:
    """A body that is strict JSON and not a command is 422, never an internal error."""
    is_problem(await police.post("/cases", body), 422, "not_valid")


async def test_a_large_body_is_not_read_to_its_end(police: Api) -> None:
    """Reading a stream without a length stops at the limit."""
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 1024

    answer = await police.http.post("/cases", content=stream(), headers=JSON)
    is_problem(answer, 413, "oversize")
    assert sent <= BODY_LIMIT_BYTES // 1024 + 2


async def test_a_body_that_grows_with_its_defaults_is_too_large() -> None:
    """A command that would not fit into an event is refused before it is decided, not stored and lost."""
    row = {"step": "answered", "amount": 1, "source": "law"}
    app = create_app(Unavailable(), member="coordination", token=TOKEN, api=COORDINATION_API)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://n", headers=AUTHORIZED) as http:
        answer = await http.post("/directory/deadlines", json={"deadlines": [row] * 280})
    assert len(json.dumps({"deadlines": [row] * 280}, separators=(",", ":"))) < BODY_LIMIT_BYTES
    is_problem(answer, 413, "oversize")


@pytest.mark.parametrize("declared", ["", "text/plain", "application/json; charset=utf-16", "application/xml"])
async def test_a_body_has_to_be_declared_as_json(police: Api, declared: str) -> None:
    """A body that is declared as something else is not parsed."""
    answer = await police.http.post("/cases", content=json.dumps(OPENING), headers={"Content-Type": declared})
    is_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("definition", [AGENCY_API, COORDINATION_API], ids=["agency", "coordination"])
async def test_every_operation_on_cases_requires_the_token(definition: ApiDefinition) -> None:
    """All operations but those about the process return 401 for a missing or wrong token and for another scheme."""
    app = create_app(Unavailable(), member="police", token=TOKEN, api=definition)
    secured = [
        (method, path.format(case=CASE, referral=REFERRAL, basis=CASE, reference=CASE))
        for path, item in document(definition)["paths"].items()
        for method, operation in item.items()
        if not path.startswith(("/problems", "/codes", "/clock", "/schemas"))
    ]
    assert len(secured) > 8
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as http:
        for method, path in secured:
            for given in (None, f"Basic {TOKEN}", "Bearer other", "Bearer é", f"Bearer {TOKEN}x"):
                headers = [] if given is None else [(b"Authorization", given.encode())]
                answer = await http.request(method, path, headers=headers)
                is_problem(answer, 401, "unauthorized")
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_case_of_other_members_is_unknown(police: Api) -> None:
    """An unknown case or referral is 404 with a code of its own, for queries and commands."""
    case = await police.case()
    strange = uuid5(CASE, "strange")
    release = await police.post(f"/cases/{strange}/bases", RELEASE)
    request = {"target": "shelter", "service": "shelter", "urgency": "low", "basis": str(strange)}
    is_problem(release, 404, "unknown_case")
    is_problem(await police.post(f"/cases/{strange}/referrals", request), 404, "unknown_case")
    is_problem(await police.http.get(f"/cases/{strange}"), 404, "unknown_case")
    is_problem(await police.http.get(f"/cases/{case}/referrals/{strange}"), 404, "unknown_referral")
    place = f"/cases/{case}/referrals/{strange}/opening"
    is_problem(await police.post(place), 404, "unknown_referral")
    is_problem(await police.post(place, if_match='"1"'), 404, "unknown_referral")


async def test_wrong_paths_and_parameters_are_named(police: Api) -> None:
    """A wrong path, method, id, filter, cursor or header each has a problem that names it."""
    is_problem(await police.http.get("/nothing/here"), 404, "unknown_path")
    refused = await police.http.delete("/cases")
    is_problem(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == "POST"
    assert (await police.http.delete("/feed")).headers["Allow"] == "GET, HEAD"
    for path, field in {
        "/cases/%00": "case",
        "/cases/12": "case",
        "/referrals?state=lost": "state.0",
        "/referrals?limit=0": "limit",
        "/referrals?states=accepted": "states",
        "/feed?after=-1": "after",
        f"/feed?after={10**30}": "after",
    }.items():
        assert is_problem(await police.http.get(path), 422, "not_valid")["faults"][0]["field"] == field
    for name, value in {"Idempotency-Key": "short", "If-Match": "W/1"}.items():
        answer = await police.http.post(f"/cases/{CASE}/referrals/{CASE}/opening", headers={name: value})
        assert is_problem(answer, 400, "header_malformed")["faults"][0]["field"] == name


@pytest.mark.parametrize("definition", [AGENCY_API, COORDINATION_API], ids=["agency", "coordination"])
async def test_a_repeated_parameter_is_refused_by_every_route(definition: ApiDefinition) -> None:
    """One of the two values would be ignored. Only a list may be repeated."""
    app = create_app(Unavailable(), member="police", token=TOKEN, api=definition)
    ids = dict.fromkeys(("case", "referral", "basis", "reference"), CASE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://n", headers=AUTHORIZED) as http:
        for path, item in document(definition)["paths"].items():
            for method, operation in item.items():
                parameters = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
                single = {p["name"] for p in parameters if p["schema"].get("type") != "array"}
                for name in single or {"other"}:
                    url = f"{path.format(**ids, code='refused', file='case.opened.v1.json')}?{name}=1&{name}=1"
                    answer = await http.request(method, url)
                    fault = is_problem(answer, 422, "not_valid")["faults"][0]
                    assert (fault["field"], fault["problem"]) == (name, "is given more than once"), url
        assert (await http.get("/referrals?state=accepted&state=requested")).status_code in {404, 503}


async def test_an_unavailable_database_is_503(jurisdiction: Jurisdiction) -> None:
    """Queries and commands return Retry-After."""
    settings = jurisdiction.postgres_settings("police")
    async with api(settings, jurisdiction.plan) as running:
        await running.pool.close()
        for answer in (await running.post("/cases", OPENING), await running.http.get("/directory")):
            is_problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1


async def test_one_line_for_each_request_and_no_id_in_it(police: Api) -> None:
    """The line contains the route's template; no line contains case, query or body."""
    case, referral = await police.referral()
    with structlog.testing.capture_logs() as lines:
        answer = await police.http.get(f"/cases/{case}/referrals/{referral}?x=secret-word")
    assert [line["event"] for line in lines] == ["web.request_answered"]
    assert [lines[0][name] for name in ("method", "route", "status")] == [
        "GET",
        "/cases/{case}/referrals/{referral}",
        422,
    ]
    assert lines[0]["request_id"] == answer.headers["X-Request-Id"]
    assert not any(word in json.dumps(lines) for word in (str(case), str(referral), "secret-word"))


async def test_the_line_of_a_command_contains_its_route(police: Api) -> None:
    """An operator filters the log by route, for commands too."""
    case = await police.case()
    with structlog.testing.capture_logs() as lines:
        await police.post(f"/cases/{case}/bases", RELEASE)
    assert [line["route"] for line in lines] == ["/cases/{case}/bases"]


OPENING_SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": "/cases",
    "raw_path": b"/cases",
    "query_string": b"",
    "headers": [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-type", b"application/json")],
}
"""ASGI scope of a command that opens a case."""


async def test_the_line_of_a_stored_command_names_its_events(police: Api) -> None:
    """If the database is lost, the log still names the stored events; the next request's line does not repeat them."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        stored = (await police.post("/cases", OPENING)).json()["events"]
        await police.http.get("/referrals")
    assert [line.get("stored") for line in lines] == [stored, None]


async def test_a_stored_command_is_logged_before_its_response(police: Api) -> None:
    """The process may crash right after the response."""
    parts: list[dict[str, Any]] = [{"type": "http.request", "body": json.dumps(OPENING).encode(), "more_body": False}]
    seen: list[int] = []

    async def receive() -> dict[str, Any]:
        return parts.pop() if parts else {"type": "http.disconnect"}

    with structlog.testing.capture_logs() as lines:

        async def send(_message: Any) -> None:
            seen.append(len(lines))

        await create_app(police.desk, member="police", token=TOKEN)({**OPENING_SCOPE}, receive, send)
    assert {*seen} == {1}
    assert len(lines) == 1


async def test_every_code_is_explained_at_its_type() -> None:
    """A problem's type is an address that needs no token and explains what to do."""
    app = create_app(Unavailable(), member="police", token=TOKEN)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as http:
        for code in KINDS:
            explained = (await http.get(f"/problems/{code}")).json()
            assert explained["remedy"]
        is_problem(await http.get("/problems/other"), 404, "unknown_path")


class Unavailable(Desk):
    """A desk whose database is unavailable."""

    def __init__(self) -> None:
        """Needs no parts."""

    def __getattribute__(self, name: str) -> Any:
        raise StoreUnavailable


class Broken(Desk):
    """A desk with a bug, whose error text repeats its input."""

    def __init__(self) -> None:
        """Needs no parts."""

    async def directory(self) -> Any:
        raise RuntimeError("secret-word")


async def test_the_text_of_an_unexpected_error_reaches_neither_caller_nor_log() -> None:
    """The caller gets a problem and the request's id; the log gets the error's type and place."""
    app = create_app(Broken(), member="police", token=TOKEN)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://node", headers=AUTHORIZED) as http:
        with structlog.testing.capture_logs() as lines:
            answer = await http.get("/directory")
    is_problem(answer, 500, "internal")
    failed = next(line for line in lines if line["event"] == "web.request_failed")
    assert (failed["error"], failed["request_id"]) == ("RuntimeError", answer.headers["X-Request-Id"])
    assert "secret-word" not in answer.text + json.dumps(lines)


async def test_a_caller_that_disconnects_causes_no_error(police: Api) -> None:
    """A connection that ends in the middle of a body is not an internal error."""

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        return None

    app = create_app(police.desk, member="police", token=TOKEN)
    with structlog.testing.capture_logs() as lines:
        await asyncio.wait_for(app({**OPENING_SCOPE}, gone, send), 5)
    assert [line["event"] for line in lines] == ["web.request_answered"]


@pytest.mark.parametrize(
    ("path", "changed", "field"),
    [
        ("/capacity", {"valid_until": "2026-01-05T22:40:00Z"}, "valid_until"),
        ("/capacity", {"unit": "course_seat"}, "unit"),
        ("/cases", {"occurred_at": "2199-01-01T00:00:00Z"}, "occurred_at"),
        ("/cases/{case}/links", {"other_case": str(CASE)}, "other_case"),
    ],
)
async def test_nonsense_is_refused_by_the_name_of_its_field(
    police: Api, path: str, changed: dict[str, str], field: str
) -> None:
    """Each value has the right form; what is wrong shows only beside another value, or beside the clock."""
    capacity = {"service": "police_protection", "unit": "case_slot", "band": "some", "state": "open"}
    capacity |= {"as_of": "2026-01-05T22:40:00Z", "valid_until": "2026-01-06T22:40:00Z"}
    bodies = {"/capacity": capacity, "/cases": OPENING, "/cases/{case}/links": {}}
    answer = await police.post(path.format(case=CASE), {**bodies[path], **changed})
    assert is_problem(answer, 422, "not_valid")["faults"][0]["field"] == field
