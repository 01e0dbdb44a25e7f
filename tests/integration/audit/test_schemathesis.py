"""Every answer of the audit's API conforms to its OpenAPI document."""

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
from tests.support.parts.audited import TOKEN, databases, served, story, write_timeline
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
    asyncio.run(write_timeline(jurisdiction, story()))
    with served(jurisdiction, callers=CALLERS) as at:
        yield at


@AUDIT.parametrize()
@FEW
def test_answers_conform_to_the_document(case: Case[Any], url: str) -> None:
    """Status, form and media type of every answer are in the document, and none is an internal error."""
    fitting = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if fitting and "case" in case.path_parameters:
        case.path_parameters["case"] = str(CASE)
    token = MEMBER_TOKEN if case.operation.path == "/receipts" else TOKEN
    # The document describes valid times and members in words only, and a purpose may be required or not.
    case.call_and_validate(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        excluded_checks=[ignored_auth, positive_data_acceptance],
    )
