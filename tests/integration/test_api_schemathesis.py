"""For any request, the response is one that the OpenAPI document describes, and never an internal error.

The API runs on a real desk and database, and is called through a socket.
"""

import asyncio
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import hypothesis
import pytest
import pytest_asyncio
import schemathesis
import uvicorn
from hypothesis import HealthCheck, strategies
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case, GenerationMode
from schemathesis.checks import ignored_auth, positive_data_acceptance

from handoff import clock
from handoff.adapters.postgres.pool import open_pool
from handoff.contract.openapi import document
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.web.apis import AGENCY_API, COORDINATION_API, ApiDefinition
from handoff.web.app import create_app
from tests.support.parts.api import AUTHORIZED, OPENING, PLAN, RELEASE, TOKEN
from tests.support.parts.desks import desk_of, directory_of
from tests.support.parts.stack import Jurisdictions

# The schema cannot express rules between fields, or that 5.0 is not accepted for 5: such bodies are 422.
RULES_IN_DESCRIPTION = {
    "recordBasis",
    "withdrawRelease",
    "endServices",
    "publishCapacity",
    "publishDeadlines",
    "publishCalendars",
    "activateRules",
    "recordRedaction",
}

# The phase that enumerates every boundary of every field takes minutes; random bodies, right and wrong, take seconds.
RANDOM_ONLY = {"phases": {"coverage": {"enabled": False}}}
AGENCY = schemathesis.openapi.from_dict(document(AGENCY_API), config=schemathesis.Config.from_dict(RANDOM_ONLY))
COORDINATION = schemathesis.openapi.from_dict(
    document(COORDINATION_API), config=schemathesis.Config.from_dict(RANDOM_ONLY)
)

# The schema cannot express that an instant is between 2000 and 2199; its description does.
schemathesis.openapi.format(
    "date-time",
    strategies.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30), timezones=strategies.just(UTC)).map(  # noqa: DTZ001
        datetime.isoformat
    ),
)
FEW = hypothesis.settings(max_examples=8, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases(PLAN)


@dataclass(frozen=True)
class Served:
    """An API at ``url``, and ids that it knows, by the name of their path parameter."""

    url: str
    known: dict[str, str]


@pytest.fixture(scope="module")
def agency(jurisdiction: Jurisdiction) -> Iterator[Served]:
    with served(jurisdiction, "police", AGENCY_API) as url, httpx.Client(base_url=url, headers=AUTHORIZED) as http:
        case = http.post("/cases", json=OPENING).json()["case"]
        basis = http.post(f"/cases/{case}/bases", json=RELEASE).json()["basis"]
        request = {"target": "shelter", "service": "shelter", "urgency": "emergency", "basis": basis}
        referral = http.post(f"/cases/{case}/referrals", json=request).json()["referral"]
        yield Served(url, {"case": case, "basis": basis, "referral": referral})


@pytest.fixture(scope="module")
def coordination(jurisdiction: Jurisdiction) -> Iterator[Served]:
    with served(jurisdiction, "coordination", COORDINATION_API) as url:
        yield Served(url, {})


@contextmanager
def served(jurisdiction: Jurisdiction, member: str, definition: ApiDefinition) -> Iterator[str]:
    """Serve a member's API on an event loop of its own, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        servers: list[uvicorn.Server] = []
        work = serve(jurisdiction, member, definition, listening, servers)
        thread = threading.Thread(target=asyncio.run, args=(work,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            servers[0].should_exit = True
            thread.join(10)


async def serve(
    jurisdiction: Jurisdiction,
    member: str,
    definition: ApiDefinition,
    listening: socket.socket,
    servers: list[uvicorn.Server],
) -> None:
    async with open_pool(jurisdiction.postgres_settings(member)) as pool:
        desk = await desk_of(pool, member, directory_of(jurisdiction.plan))
        app = create_app(desk, member=member, token=TOKEN, api=definition, wait_limit=0.01)
        servers.append(uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none")))
        await servers[0].serve([listening])


@AGENCY.parametrize()
@FEW
def test_an_agencys_api_responds_as_described(case: Case[Any], agency: Served) -> None:
    """Every response has a status, schema and media type from the document, and none is an internal error."""
    check_response(case, agency)


@COORDINATION.parametrize()
@FEW
def test_the_coordinators_api_responds_as_described(case: Case[Any], coordination: Served) -> None:
    """The same for the coordinator's API."""
    check_response(case, coordination)


def check_response(case: Case[Any], where: Served) -> None:
    """Call an operation with ids that exist, so that commands reach the rules, unless the generated path is invalid."""
    if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters = {name: where.known.get(name, given) for name, given in case.path_parameters.items()}
        # The schema cannot express that this instant is not in the future.
        if isinstance(case.body, dict):
            case.body.pop("occurred_at", None)
        # A key identifies one request, but the generator repeats keys, and it removes the quotes of an ETag.
        for name, right in (("Idempotency-Key", str(clock.new_id())), ("If-Match", "*")):
            if name in case.headers:
                case.headers[name] = right
    rules_in_description = case.operation.definition.raw.get("operationId") in RULES_IN_DESCRIPTION
    excluded = [ignored_auth, positive_data_acceptance] if rules_in_description else [ignored_auth]
    case.call_and_validate(base_url=where.url, headers=AUTHORIZED, excluded_checks=excluded)


_PROGRAM_RUNS = 5


def test_the_links_lead_to_operations_on_what_exists(agency: Served) -> None:
    """A program that follows the links reaches the rules and what exists, not only 404."""
    reached: defaultdict[str, set[int]] = defaultdict(set)

    class FollowsLinks(AGENCY.as_state_machine()):  # type: ignore[misc] # a class that is made at run time
        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:  # noqa: ARG002 - the library calls it
            return {"base_url": agency.url, "headers": AUTHORIZED}

        def after_call(self, response: Any, case: Case[Any]) -> None:
            reached[case.operation.definition.raw["operationId"]].add(response.status_code)

        def validate_response(self, response: Any, case: Case[Any], **_options: Any) -> None:
            """The tests above check the responses."""

    linked = {link["operationId"] for link in document(AGENCY_API)["components"]["links"].values()}
    found: set[str] = set()
    for _ in range(_PROGRAM_RUNS):
        # An answer may be 201 or 202, as time allows, and then has other links: a repeated program ends the run.
        with suppress(FlakyStrategyDefinition):
            FollowsLinks.run(
                settings=hypothesis.settings(
                    max_examples=40, stateful_step_count=12, suppress_health_check=list(HealthCheck), database=None
                )
            )
        found = {name for name in linked if reached[name] & {200, 201, 202, 409}}
        if found >= {"readCase", "recordBasis", "requestReferral"}:
            return
    pytest.fail(f"no program reached them: {reached}")
