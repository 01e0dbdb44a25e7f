"""Promises of the published OpenAPI documents."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from handoff.audit.api.definition import AUDIT_API
from handoff.audit.audit_problems import AUDIT_PROBLEMS
from handoff.contract.openapi import UnusedDesk, differences, document, documents
from handoff.domain import commands
from handoff.domain.commands import Command
from handoff.package_data import schemas_path
from handoff.record.codes import CommandRefusal, IneffectiveReason, RefusalCode, State
from handoff.web.apis import AGENCY_API, COORDINATION_API, ApiDefinition
from handoff.web.app import create_app
from handoff.web.command_routes import AGENCY_COMMANDS, COORDINATION_COMMANDS
from handoff.web.openapi_document import command_example
from handoff.web.problems import INEFFECTIVE, NODE_PROBLEMS, REFUSED
from handoff.web.reasons import MEANINGS
from handoff.web.response_models import ResponseModel

EACH = pytest.mark.parametrize(
    "api", [AGENCY_API, COORDINATION_API, AUDIT_API], ids=["agency", "coordination", "audit"]
)


def operations(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in content["paths"].values():
        yield from item.values()


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_committed_documents_equal_the_generated_ones() -> None:
    """The documents under schemas/openapi are generated, never edited."""
    assert differences(documents()) == ()


@EACH
def test_a_document_is_openapi_3_1_with_one_name_for_each_operation(api: ApiDefinition) -> None:
    """A client generator finds a stable, unique name for each operation."""
    content = document(api)
    names = [operation["operationId"] for operation in operations(content)]
    assert content["openapi"].startswith("3.1")
    assert len(names) == len(set(names))


@EACH
def test_every_reference_in_a_document_resolves(api: ApiDefinition) -> None:
    """The document contains every schema and response that it refers to."""
    content = document(api)
    for reference in references(content):
        node: Any = content
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


@EACH
def test_a_generator_sees_which_fields_a_response_always_has(api: ApiDefinition) -> None:
    """A field without a value is left out of a response and is never null; only such fields are optional."""
    schemas = document(api)["components"]["schemas"]
    answers = [model for model in ResponseModel.__subclasses__() if model.__name__ in schemas]
    assert answers
    for model in answers:
        schema = schemas[model.__name__]
        assert not any("anyOf" in value or "default" in value for value in schema["properties"].values())
        optional = schema["properties"].keys() - set(schema["required"])
        assert optional == {name for name, field in model.model_fields.items() if field.default is None}


@EACH
def test_a_generator_makes_optional_fields_of_a_body_optional(api: ApiDefinition) -> None:
    """Generators take a field with a default for a required one, so bodies have their defaults in words."""
    schemas = document(api)["components"]["schemas"]
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for operation in operations(document(api))
        if "requestBody" in operation
    }
    for name in (body.rpartition("/")[2] for body in bodies):
        assert not [field for field, value in schemas[name].get("properties", {}).items() if "default" in value]


@EACH
def test_operations_document_their_problems(api: ApiDefinition) -> None:
    """Each operation that needs a token documents 401 and 503, and each command 409, 413, 415 and 422 too."""
    for operation in operations(document(api)):
        if operation["security"]:
            wanted = {"401", "503"} | ({"409", "413", "415", "422"} if "requestBody" in operation else set())
            assert wanted <= operation["responses"].keys()


@EACH
def test_every_code_of_a_document_has_its_meaning(api: ApiDefinition) -> None:
    """A generated client and its documentation explain each value of each closed list."""
    for name, schema in document(api)["components"]["schemas"].items():
        if "enum" in schema:
            assert list(schema["x-enumDescriptions"]) == schema["enum"], name
            assert all(f"`{code}`: {meaning}" in schema["description"] for code, meaning in _meanings(schema)), name


def _meanings(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for code, meaning in schema["x-enumDescriptions"].items():
        assert meaning
        yield code, meaning


def test_every_command_has_a_route() -> None:
    """Every command can be sent, except those that a node itself records."""
    reached = {route.command for route in (*AGENCY_COMMANDS, *COORDINATION_COMMANDS)}
    assert reached == set(concrete(Command)) - {commands.RecordRead, commands.RecordBoardRead}


def concrete(command: type[Command]) -> Iterator[type[Command]]:
    for below in command.__subclasses__():
        if "makes" in vars(below):
            yield below
        yield from concrete(below)


def test_every_example_is_accepted_by_its_command() -> None:
    """A body copied from the documentation is valid."""
    for route in (*AGENCY_COMMANDS, *COORDINATION_COMMANDS):
        route.command.model_validate(command_example(route))


def test_no_command_has_a_field_for_free_text_or_income() -> None:
    """The schema prevents personal data from reaching the record: every string has a closed form."""
    for route in (*AGENCY_COMMANDS, *COORDINATION_COMMANDS):
        for path, schema in strings(route.command):
            closed = {"enum", "const", "pattern", "format"} & schema.keys()
            assert closed, f"{route.command.__name__}: {path} is open text"
            assert "income" not in path


def strings(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any]]]:
    def walk(path: str, node: object) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(node, dict):
            if node.get("type") == "string":
                yield path, node
            for name, child in node.items():
                yield from walk(f"{path}/{name}", child)
        elif isinstance(node, list):
            for child in node:
                yield from walk(path, child)

    return walk("", model.model_json_schema())


def test_codes_of_problems_are_stable() -> None:
    """Callers branch on these codes: one may be added, none may change."""
    assert {kind.code for kind in NODE_PROBLEMS} == {
        "malformed",
        "header_malformed",
        "unauthorized",
        "unknown_path",
        "unknown_case",
        "unknown_referral",
        "unknown_escalation",
        "method_not_allowed",
        "refused",
        "ineffective",
        "cursor_past_end",
        "precondition_failed",
        "oversize",
        "own_key_ended",
        "unsupported_media_type",
        "not_valid",
        "idempotency_key_reused",
        "internal",
        "unavailable",
    }


def test_every_reason_has_a_sentence_of_its_own() -> None:
    """No two reasons have one sentence, and none is left without."""
    reasons = (*State, *IneffectiveReason, *CommandRefusal, *RefusalCode)
    assert set(MEANINGS) == set(reasons)
    assert len(set(MEANINGS.values())) == len(reasons)
    assert set(REFUSED.reasons) == {*State, *IneffectiveReason, *CommandRefusal}
    assert set(INEFFECTIVE.reasons) == {*State, *IneffectiveReason, *RefusalCode}


def test_the_audit_adds_problems_of_its_own() -> None:
    """A node's API does not publish them: only reading across institutions can cause them."""
    assert {kind.code for kind in AUDIT_PROBLEMS} - {kind.code for kind in NODE_PROBLEMS} == {
        "not_signed_in",
        "case_not_recorded",
        "purpose_required",
        "not_proven_yet",
        "access-not-recorded",
    }


@EACH
async def test_every_problem_code_is_explained_at_its_type(api: ApiDefinition) -> None:
    """A problem's type is an address that needs no token and explains what to do."""
    app = create_app(UnusedDesk(), member="police", token="any", api=api)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as http:
        for kind in api.problems:
            explained = (await http.get(kind.problem().type)).json()
            assert explained["remedy"] == kind.remedy
            reasons = {reason["reason"]: reason["meaning"] for reason in explained.get("reasons", ())}
            assert tuple(reasons) == kind.reasons
            assert all(meaning.endswith(".") for meaning in reasons.values())
        assert (await http.get("/problems/other")).status_code == 404


@EACH
async def test_the_schema_of_every_event_is_at_its_dataschema(api: ApiDefinition) -> None:
    """Every version that is published has its schema at the address that its events name; it needs no token."""
    app = create_app(UnusedDesk(), member="police", token="any", api=api)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as http:
        for example in sorted(schemas_path("examples").glob("*.json")):
            event = json.loads(example.read_bytes())
            answer = await http.get(event["dataschema"])
            assert answer.headers["content-type"] == "application/schema+json", event["dataschema"]
            assert answer.json()["$id"] == event["dataschema"]
            assert answer.json()["properties"]["type"]["const"] == event["type"]
        for missing in ("case.opened.v9.json", "..%2Fasyncapi.json", "README"):
            assert (await http.get(f"/schemas/events/{missing}")).status_code == 404
