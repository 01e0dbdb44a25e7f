"""What the published OpenAPI documents promise."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from handoff.audit.api.definition import AUDIT_API
from handoff.domain import commands
from handoff.domain.commands import Command
from handoff.web.apis import AGENCY_API, COORDINATION_API, ApiDefinition
from handoff.web.command_routes import AGENCY_COMMANDS, COORDINATION_COMMANDS
from handoff.web.openapi_document import command_example
from handoff.web.problems import NODE_PROBLEMS
from handoff.web.published_openapi import differences, document

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


def test_committed_documents_are_what_the_code_says() -> None:
    """The documents under schemas/openapi are generated, never edited."""
    assert differences() == ()


@EACH
def test_a_document_is_openapi_3_1_with_one_name_for_each_operation(api: ApiDefinition) -> None:
    """A client generator finds a stable, unique name for everything that it can call."""
    content = document(api)
    names = [operation["operationId"] for operation in operations(content)]
    assert content["openapi"].startswith("3.1")
    assert len(names) == len(set(names))


@EACH
def test_every_reference_in_a_document_leads_somewhere(api: ApiDefinition) -> None:
    """No schema or response is named that the document does not hold."""
    content = document(api)
    for reference in references(content):
        node: Any = content
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


@EACH
def test_whoever_may_be_refused_is_told_how(api: ApiDefinition) -> None:
    """Each operation that needs a token documents 401 and 503, and each command 409, 413, 415 and 422 too."""
    for operation in operations(document(api)):
        if "security" in operation:
            wanted = {"401", "503"} | ({"409", "413", "415", "422"} if "requestBody" in operation else set())
            assert wanted <= operation["responses"].keys()


def test_every_command_of_the_catalogues_has_a_place() -> None:
    """What can be decided can be sent, save what the node itself records."""
    reached = {route.command for route in (*AGENCY_COMMANDS, *COORDINATION_COMMANDS)}
    assert reached == set(concrete(Command)) - {commands.RecordRead}


def concrete(command: type[Command]) -> Iterator[type[Command]]:
    for below in command.__subclasses__():
        if "makes" in vars(below):
            yield below
        yield from concrete(below)


def test_every_example_is_accepted_by_its_command() -> None:
    """A body that is copied from the documentation works."""
    for route in (*AGENCY_COMMANDS, *COORDINATION_COMMANDS):
        route.command.model_validate(command_example(route))


def test_no_command_has_a_field_for_free_text_or_income() -> None:
    """A caller cannot even try to send what must not lie on the record: every string has a closed form."""
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
    """Callers branch on these names: one may be added, none may change."""
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
        "precondition_failed",
        "oversize",
        "unsupported_media_type",
        "not_valid",
        "idempotency_key_reused",
        "internal",
        "unavailable",
    }
