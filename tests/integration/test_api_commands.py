"""Promises of a node's API about commands and queries."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid5

import pytest
import pytest_asyncio

from handoff.domain.escalations import Escalation
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.codes import CaseService, DeadlineStep, EntryPoint, ReportingDelay
from handoff.record.delivery import EFFECTIVE, Verdict, ineffective, invalid
from handoff.record.events.case import CaseOpened
from handoff.web.apis import COORDINATION_API
from tests.support.dsl.builders import CASE, OTHER_CASE, event
from tests.support.parts.api import OPENING, PLAN, RELEASE, Api, api
from tests.support.parts.desks import echo, receive
from tests.support.parts.stack import Jurisdictions

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATE = Escalation(uuid5(CASE, "late"), "shelter", CaseService.SHELTER, DeadlineStep.ANSWERED, NOW, 3602)


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases(PLAN)


@pytest_asyncio.fixture(scope="module")
async def police(jurisdiction: Jurisdiction) -> AsyncIterator[Api]:
    async with api(jurisdiction.postgres_settings("police"), jurisdiction.plan) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def coordination(jurisdiction: Jurisdiction) -> AsyncIterator[Api]:
    settings = jurisdiction.postgres_settings("coordination")
    async with api(
        settings, jurisdiction.plan, member="coordination", definition=COORDINATION_API, escalations=[LATE]
    ) as running:
        yield running


async def test_a_command_is_answered_once_it_is_stored(police: Api) -> None:
    """An opened case is 202 with its Location, where it can be read immediately, as pending."""
    answer = await police.post("/cases", OPENING)
    assert (answer.status_code, answer.json()["status"]) == (202, "stored")
    case = (await police.http.get(answer.headers["Location"])).json()
    assert (case["id"], case["pending"]) == (answer.json()["case"], answer.json()["events"])
    assert case["opener"] == "police"


async def test_a_preference_to_wait_holds_the_response_until_the_echo(police: Api) -> None:
    """201 means that the command is on the record and effective."""
    case = await police.case()
    waiting = asyncio.create_task(police.post(f"/cases/{case}/bases", RELEASE, prefer="respond-async, wait=20"))
    while not waiting.done():
        await asyncio.sleep(0.02)
        await echo(police.desk, case)
    answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (201, "effective")
    assert answer.headers["Preference-Applied"] == "wait=20"


async def test_an_ineffective_command_is_answered_with_its_reason(police: Api) -> None:
    """A command that lost a race is stored all the same; the response contains the verdict and its reason."""
    case = await police.case()
    await echo(police.desk, case)
    waiting = asyncio.create_task(police.post(f"/cases/{case}/bases", RELEASE, prefer="wait=20"))
    while not waiting.done():
        await asyncio.sleep(0.02)
        await echo(police.desk, case, ineffective("basis_expired"))
    answer = await waiting
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (409, "/problems/ineffective")
    assert (problem["verdict"], problem["reason"]) == ("ineffective", "basis_expired")
    assert problem["detail"] == "The release or legal basis has expired: record a new one."
    assert problem["events"]
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(EFFECTIVE, 201), (ineffective("basis_expired"), 409), (invalid("signature"), 409)],
    ids=["effective", "ineffective", "invalid"],
)
async def test_a_repetition_is_answered_with_the_truth_of_now(police: Api, verdict: Verdict, status: int) -> None:
    """The same key gets 202 until the verdict is known, then the verdict, with or without a preference to wait."""
    case = await police.case()
    await echo(police.desk, case)
    key = f"release-{case}"
    path = f"/cases/{case}/bases"
    first = await police.post(path, RELEASE, idempotency_key=key)
    assert (first.status_code, (await police.post(path, RELEASE, idempotency_key=key)).status_code) == (202, 202)
    await echo(police.desk, case, verdict)
    for wait in ({}, {"prefer": "wait=20"}):
        again = await police.post(path, RELEASE, idempotency_key=key, **wait)
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (status, "true")
        assert again.json()["events"] == first.json()["events"]


async def test_an_ineffective_answer_to_a_referral_names_what_is_allowed(police: Api) -> None:
    """The caller learns the referral's state and its own next steps with the verdict."""
    case, referral = await police.referral()
    await echo(police.desk, case)
    place = f"/cases/{case}/referrals/{referral}"
    key = f"claim-{referral}"
    await police.post(f"{place}/acceptance-claim", {"via": "phone"}, idempotency_key=key)
    await echo(police.desk, case, ineffective("already"))
    problem = (await police.post(f"{place}/acceptance-claim", {"via": "phone"}, idempotency_key=key)).json()
    assert (problem["code"], problem["reason"], problem["state"]) == ("ineffective", "already", "requested")
    assert problem["allowed"] == (await police.http.get(place)).json()["actions"]


async def test_a_wait_that_times_out_is_answered_as_stored(police: Api) -> None:
    """Without an echo in time the response is 202: the command is stored and its verdict is not known yet."""
    answer = await police.post("/cases", OPENING, prefer="wait=0")
    assert (answer.status_code, answer.json()["status"]) == (202, "stored")
    assert answer.headers["Preference-Applied"] == "wait=0"


async def test_a_repeat_under_one_key_has_one_effect(police: Api) -> None:
    """Ten equal concurrent requests open one case."""
    answers = await asyncio.gather(
        *(police.post("/cases", OPENING, idempotency_key="night-shift-1") for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["case"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9


async def test_a_key_identifies_one_request(police: Api) -> None:
    """The same key with another body is refused, and nothing is stored."""
    await police.post("/cases", OPENING, idempotency_key="night-shift-2")
    other = await police.post("/cases", {**OPENING, "entry_point": "hotline"}, idempotency_key="night-shift-2")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_command_with_a_stale_etag_is_refused(police: Api) -> None:
    """If-Match with the current ETag passes; with an older one it is 412, with the state and the new ETag."""
    case, referral = await police.referral()
    place = f"/cases/{case}/referrals/{referral}"
    read = (await police.http.get(place)).headers["ETag"]
    assert (await police.post(f"{place}/acceptance-claim", {"via": "phone"}, if_match=read)).status_code == 202
    stale = await police.post(f"{place}/cancellation", if_match=read)
    assert (stale.status_code, stale.json()["code"], stale.json()["state"]) == (412, "precondition_failed", "requested")
    assert stale.headers["ETag"] == (await police.http.get(place)).headers["ETag"] != read


async def test_a_command_without_fields_needs_no_body(police: Api) -> None:
    """A cancellation has no required field, so its body may be left out."""
    case, referral = await police.referral()
    answer = await police.http.post(f"/cases/{case}/referrals/{referral}/cancellation")
    assert answer.status_code == 202


async def test_a_refused_transition_has_state_and_reason(police: Api) -> None:
    """409 contains the referral's state, the reason and the number of its events that are known here."""
    case, referral = await police.referral()
    await police.made(f"/cases/{case}/referrals/{referral}/cancellation")
    again = await police.post(f"/cases/{case}/referrals/{referral}/cancellation")
    assert again.status_code == 409
    assert again.json() | {"state": "cancelled", "reason": "cancelled", "seen": 2, "code": "refused"} == again.json()


async def test_a_refusal_has_its_own_reason_and_what_is_allowed_instead(police: Api) -> None:
    """A source that answers its own request learns that it is not its step, and what it can do."""
    case, referral = await police.referral()
    place = f"/cases/{case}/referrals/{referral}"
    answer = await police.post(f"{place}/acceptance")
    assert (answer.status_code, answer.json()["reason"]) == (409, "wrong_emitter")
    explained = (await police.http.get(answer.json()["type"])).json()["reasons"]
    assert {"reason": "wrong_emitter", "meaning": answer.json()["detail"]} in explained
    assert answer.json()["allowed"] == (await police.http.get(place)).json()["actions"]
    assert [action["action"] for action in answer.json()["allowed"]] == [
        "claimAcceptance",
        "cancelReferral",
        "voidReferral",
    ]


async def test_the_actions_of_a_referral_are_accepted_where_they_point_to(police: Api) -> None:
    """Each action of a referral is a path and the codes of a body that is accepted."""
    case, referral = await police.referral()
    [known] = (await police.http.get(f"/cases/{case}")).json()["referrals"]
    [voiding] = [action for action in known["actions"] if action["action"] == "voidReferral"]
    assert voiding["codes"] == {"code": ["wrong_case", "wrong_target", "double_entry", "misdirected"]}
    body = {field: codes[-1] for field, codes in voiding["codes"].items()}
    assert (await police.post(voiding["path"], body)).status_code == 202
    assert (await police.http.get(f"/cases/{case}/referrals/{referral}")).json()["actions"] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": "police"}, "own_target"),
        ({"target": "coordination"}, "target_not_agency"),
        ({"target": "nobody_here"}, "unknown_target"),
        ({"service": "medical"}, "service_not_offered"),
    ],
)
async def test_a_refused_request_has_a_reason_of_its_own(police: Api, change: dict[str, str], reason: str) -> None:
    """The target, its services and the basis each have reasons of their own."""
    case = await police.case()
    basis = (await police.made(f"/cases/{case}/bases", RELEASE))["basis"]
    asked = {"target": "shelter", "service": "shelter", "urgency": "low", "basis": basis} | change
    answer = await police.post(f"/cases/{case}/referrals", asked)
    assert (answer.status_code, answer.json()["reason"]) == (409, reason)


async def test_a_requested_referral_has_a_location_of_its_own(police: Api) -> None:
    """The referral can be read before its request is on the record; its state there is still absent."""
    case, referral = await police.referral()
    read = (await police.http.get(f"/cases/{case}/referrals/{referral}")).json()
    assert (read["state"], read["expected"]) == ("absent", "requested")
    await echo(police.desk, case)
    read = (await police.http.get(f"/cases/{case}/referrals/{referral}")).json()
    assert (read["state"], read["expected"]) == ("requested", "requested")


async def test_the_work_list_is_read_page_by_page(police: Api) -> None:
    """Each referral is on one page, filters narrow the list, and the last page has no cursor."""
    made = [await police.referral() for _ in range(3)]
    for case, _ in made:
        await echo(police.desk, case)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await police.http.get("/referrals", params={"limit": 2, "state": "requested", **cursor})).json()
        found += [item["id"] for item in page["referrals"]]
        if "next" not in page:
            break
        cursor = {"after": page["next"]}
    assert len(found) == len(set(found))
    assert {str(referral) for _, referral in made} <= set(found)
    others = await police.http.get("/referrals", params={"role": "target"})
    assert others.json() == {"referrals": []}


async def test_the_feed_contains_own_ineffective_commands(police: Api) -> None:
    """The feed returns entries in record order, and continues from any cursor."""
    opening = CaseOpened(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.UNKNOWN)
    lost = event(opening, emitter="police", subject=CASE), ineffective("already")
    await receive(police.desk, lost, (event(opening, emitter="shelter", subject=OTHER_CASE), EFFECTIVE))
    first = (await police.http.get("/feed", params={"limit": 1})).json()
    entry = first["entries"][0]
    assert (entry["own"], entry["verdict"], entry["reason"]) == (True, "ineffective", "already")
    assert entry["event"]["subject"] == str(CASE)
    rest = (await police.http.get("/feed", params={"after": first["next"]})).json()
    assert [(item["sequence"], item["own"]) for item in rest["entries"]] == [(2, False)]
    end = (await police.http.get("/feed", params={"after": rest["next"]})).json()
    assert end == {"entries": [], "next": rest["next"]}


async def test_the_directory_omits_escalations(coordination: Api) -> None:
    """Every member reads members and deadlines; only the coordinator reads escalations."""
    directory = (await coordination.http.get("/directory")).json()
    assert [member["id"] for member in directory["members"]] == list(PLAN.member_ids)
    assert "escalations" not in directory


async def test_the_coordinator_acknowledges_an_escalation(coordination: Api) -> None:
    """A late step is acknowledged by its opaque reference; an unknown one is 404."""
    waiting = (await coordination.http.get("/escalations")).json()["escalations"]
    assert [(row["reference"], row["member"]) for row in waiting] == [(str(LATE.reference), "shelter")]
    place = "/escalations/{}/acknowledgement"
    answer = await coordination.post(place.format(LATE.reference), {"action": "called_agency"})
    assert answer.status_code == 202
    missing = await coordination.post(place.format(CASE), {"action": "called_agency"})
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_escalation")


async def test_the_coordinators_api_has_no_cases(coordination: Api) -> None:
    """The coordinator's API has no path for cases or referrals."""
    assert (await coordination.http.get(f"/cases/{CASE}")).status_code == 404
    assert (await coordination.post("/cases", OPENING)).json()["code"] == "unknown_path"
