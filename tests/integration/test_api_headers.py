"""HTTP rules that hold for every path: HEAD, conditional requests, headers that occur once, and caching."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import structlog

from handoff.operations.setup.jurisdiction import Jurisdiction
from tests.support.parts.api import OPENING, PLAN, TOKEN, Api, api
from tests.support.parts.stack import Jurisdictions

Headers = list[tuple[str, str]]


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases(PLAN)


@pytest_asyncio.fixture(scope="module")
async def police(jurisdiction: Jurisdiction) -> AsyncIterator[Api]:
    async with api(jurisdiction.postgres_settings("police"), jurisdiction.plan) as running:
        yield running


async def claim(police: Api, place: str, *if_match: str) -> httpx.Response:
    """Claim the acceptance of a referral, under conditions."""
    headers: Headers = [("If-Match", value) for value in if_match]
    return await police.http.post(f"{place}/acceptance-claim", json={"via": "phone"}, headers=headers)


@pytest.mark.parametrize(
    "path",
    ["/feed", "/referrals", "/directory", "/problems/refused", "/nothing", "/referrals?limit=0", "/openapi.json"],
)
async def test_head_is_get_without_its_body(police: Api, path: str) -> None:
    """Status and headers are the same, so that a client learns about a resource without reading it."""
    head, get = await police.http.head(path), await police.http.get(path)
    ids = {"x-request-id"}
    assert head.content == b""
    assert head.status_code == get.status_code
    assert {**head.headers, **dict.fromkeys(ids)} == {**get.headers, **dict.fromkeys(ids)}


async def test_head_needs_the_token_and_a_path_with_get(police: Api) -> None:
    """A path without GET has no HEAD either."""
    assert (await police.http.head("/feed", headers={"Authorization": ""})).status_code == 401
    refused = await police.http.head("/cases")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")


async def test_head_is_logged_as_head_with_its_route(police: Api) -> None:
    """The log shows the request as it was sent."""
    with structlog.testing.capture_logs() as lines:
        await police.http.head("/feed")
    assert [(line["method"], line["route"]) for line in lines] == [("HEAD", "/feed")]


@pytest.mark.parametrize(
    "conditions",
    [['"1"'], ["*"], ['"9", "1"'], ['"9","1"'], ['"9"', '"1"'], ['W/"1", "1"'], [', "1",, "x,y" ,'], ['"9"\t, "1"']],
)
async def test_a_condition_that_names_the_current_tag_holds(police: Api, conditions: list[str]) -> None:
    """If-Match is a list, on one line or several, with empty elements (RFC 9110, 5.6.1 and 13.1.1)."""
    case, referral = await police.referral()
    answer = await claim(police, f"/cases/{case}/referrals/{referral}", *conditions)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    "condition", ['W/"1"', '"9"', '"01"', '""', '"x"', 'W/"1", "7"', '"12345678901"', '"1x", "x1"']
)
async def test_a_condition_without_the_current_tag_fails(police: Api, condition: str) -> None:
    """The comparison is strong: a weak tag never matches, and a tag of another server is no syntax error."""
    case, referral = await police.referral()
    answer = await claim(police, f"/cases/{case}/referrals/{referral}", condition)
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize("condition", ["1", "W/1", '"1', '* , "1"', '"1" "2"', "", '"a b"', 'w/"1"'])
async def test_a_condition_that_is_no_list_of_tags_is_malformed(police: Api, condition: str) -> None:
    """The problem names the header."""
    case, referral = await police.referral()
    answer = await claim(police, f"/cases/{case}/referrals/{referral}", condition)
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (400, "If-Match")


@pytest.mark.parametrize(
    "repeated",
    [
        ("Idempotency-Key", "first-key", "second-key"),
        ("Idempotency-Key", "the-same-key", "the-same-key"),
        ("Authorization", f"Bearer {TOKEN}", "Bearer other-token"),
        ("Content-Type", "application/json", "text/plain"),
        ("Host", "node", "other"),
        ("Origin", "http://node", "http://other"),
        ("User-Agent", "a", "b"),
    ],
    ids=lambda repeated: repeated[0],
)
async def test_a_header_of_one_value_that_occurs_twice_is_refused(police: Api, repeated: tuple[str, str, str]) -> None:
    """A proxy and the node could read different ones: another key, another caller, another form."""
    name, *values = repeated
    request = police.http.build_request("POST", "/cases", json=OPENING)
    others = [(key, value) for key, value in request.headers.raw if key.decode().lower() != name.lower()]
    request.headers = httpx.Headers([*others, *((name.encode(), value.encode()) for value in values)])
    answer = await police.http.send(request)
    assert (answer.status_code, answer.json()["code"]) == (400, "header_malformed")
    assert answer.json()["faults"] == [{"field": name, "problem": "occurs more than once"}]


async def test_a_list_header_may_occur_twice(police: Api) -> None:
    """Two lines of a list are one list."""
    headers: Headers = [("Prefer", "respond-async"), ("Prefer", "wait=0"), ("Accept", "text/html"), ("Accept", "*/*")]
    answer = await police.http.post("/cases", json=OPENING, headers=headers)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=0")


@pytest.mark.parametrize("path", ["/feed", "/directory", "/problems/refused", "/nothing", "/openapi.json"])
async def test_json_is_stored_in_no_cache(police: Api, path: str) -> None:
    """A shared cache or a browser's disk would otherwise keep codes of a case."""
    assert (await police.http.get(path)).headers["Cache-Control"] == "no-store"
