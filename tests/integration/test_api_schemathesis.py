"""Whatever a caller sends, the answer is one that the OpenAPI document foresees, and never an error of the service.

The API runs on a real desk and database, and is called through a socket, as callers do.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
from schemathesis import Case, GenerationMode
from schemathesis.checks import ignored_auth, positive_data_acceptance

from handoff import clock
from handoff.adapters.postgres.pool import open_pool
from handoff.admin.jurisdiction import Jurisdiction
from handoff.web.apis import AGENCY_API, COORDINATION_API, ApiDefinition
from handoff.web.app import create_app
from handoff.web.published_openapi import document
from tests.support.parts.api import AUTHORIZED, OPENING, PLAN, RELEASE, TOKEN
from tests.support.parts.desks import desk_of, directory_of
from tests.support.parts.stack import Jurisdictions

# Rules between fields, and that 5.0 is not written for 5, stand in the schema's words alone: such bodies are 422.
SAID_IN_WORDS = {"recordBasis", "withdrawRelease", "endServices", "publishDeadlines", "activateRules"}

# Its enumeration of every boundary of every field takes minutes; random bodies, right and wrong, take seconds.
BRIEF = {"phases": {"coverage": {"enabled": False}}}
AGENCY = schemathesis.openapi.from_dict(document(AGENCY_API), config=schemathesis.Config.from_dict(BRIEF))
COORDINATION = schemathesis.openapi.from_dict(document(COORDINATION_API), config=schemathesis.Config.from_dict(BRIEF))

# The document says in words that an instant lies between 2000 and 2199.
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
    """An API that answers at ``url``, and ids that it knows, by the name of their path parameter."""

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
    """The URL of a member's API, served on a loop of its own while this one waits for answers."""
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
def test_an_agencys_api_answers_as_it_says(case: Case[Any], agency: Served) -> None:
    """Every answer has a status, a form and a media type that the document names, and none is an error here."""
    answers_as_described(case, agency)


@COORDINATION.parametrize()
@FEW
def test_the_coordinators_api_answers_as_it_says(case: Case[Any], coordination: Served) -> None:
    """The same of the coordinator's API."""
    answers_as_described(case, coordination)


def answers_as_described(case: Case[Any], where: Served) -> None:
    """Calls a path with ids that exist, so that commands reach the rules, unless it is the path that is wrong."""
    if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters = {name: where.known.get(name, given) for name, given in case.path_parameters.items()}
        # A key stands for one request, but the generator gives the same one to many, and it takes an ETag's quotes off.
        for name, right in (("Idempotency-Key", str(clock.new_id())), ("If-Match", "*")):
            if name in case.headers:
                case.headers[name] = right
    said_in_words = case.operation.definition.raw.get("operationId") in SAID_IN_WORDS
    excluded = [ignored_auth, positive_data_acceptance] if said_in_words else [ignored_auth]
    case.call_and_validate(base_url=where.url, headers=AUTHORIZED, excluded_checks=excluded)
