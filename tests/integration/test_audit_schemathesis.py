"""Whatever a caller sends to the audit, the answer is one that its OpenAPI document foresees."""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import Case, GenerationMode
from schemathesis.checks import ignored_auth, positive_data_acceptance

from handoff.contract.openapi import audit_document
from tests.support.dsl.spec import CASE
from tests.support.parts.audited import TOKEN, databases, lay_out, served, story
from tests.support.parts.stack import Jurisdictions

MEMBER_TOKEN = "police-token-for-receipts"
CALLERS = {"police": hashlib.sha256(MEMBER_TOKEN.encode()).hexdigest()}
BRIEF = {"phases": {"coverage": {"enabled": False}}}
AUDIT = schemathesis.openapi.from_dict(audit_document(), config=schemathesis.Config.from_dict(BRIEF))
FEW = hypothesis.settings(max_examples=6, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@pytest.fixture(scope="module")
def url(database_jurisdictions: Jurisdictions) -> Iterator[str]:
    jurisdiction = database_jurisdictions.planned()
    asyncio.run(databases(jurisdiction))
    asyncio.run(lay_out(jurisdiction, story()))
    with served(jurisdiction, callers=CALLERS) as at:
        yield at


@AUDIT.parametrize()
@FEW
def test_the_audits_api_answers_as_it_says(case: Case[Any], url: str) -> None:
    """Every answer has a status, a form and a media type that the document names, and none is an error here."""
    fitting = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if fitting and "case" in case.path_parameters:
        case.path_parameters["case"] = str(CASE)
    token = MEMBER_TOKEN if case.operation.path == "/receipts" else TOKEN
    # Which moments and members there are stands in words alone, and a purpose may be missing or not.
    case.call_and_validate(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        excluded_checks=[ignored_auth, positive_data_acceptance],
    )
