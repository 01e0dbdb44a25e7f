"""What the published OpenAPI documents promise."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from handoff.domain import commands
from handoff.domain.commands import Command
from handoff.web.app import Routes
from handoff.web.command_examples import command_examples
from handoff.web.openapi import differences, document
from handoff.web.problems import NODE_KINDS
from handoff.web.submissions import AGENCY_PLACES, COORDINATION_PLACES, operation_id

EACH = pytest.mark.parametrize("routes", get_args(Routes))


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
def test_a_document_is_openapi_3_1_with_one_name_for_each_operation(routes: Routes) -> None:
    """A client generator finds a stable, unique name for everything that it can call."""
    content = document(routes)
    names = [operation["operationId"] for operation in operations(content)]
    assert content["openapi"].startswith("3.1")
    assert len(names) == len(set(names))


@EACH
def test_every_reference_in_a_document_leads_somewhere(routes: Routes) -> None:
    """No schema or response is named that the document does not hold."""
    content = document(routes)
    for reference in references(content):
        node: Any = content
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


@EACH
def test_whoever_may_be_refused_is_told_how(routes: Routes) -> None:
    """Each operation that needs a token documents 401 and 503, and each command 409, 413, 415 and 422 too."""
    for operation in operations(document(routes)):
        if "security" in operation:
            wanted = {"401", "503"} | ({"409", "413", "415", "422"} if "requestBody" in operation else set())
            assert wanted <= operation["responses"].keys()


def test_every_command_of_the_catalogues_has_a_place() -> None:
    """What can be decided can be sent, save what the node itself records."""
    reached = {place.command for place in (*AGENCY_PLACES, *COORDINATION_PLACES)}
    assert reached == set(concrete(Command)) - {commands.RecordRead}


def concrete(command: type[Command]) -> Iterator[type[Command]]:
    for below in command.__subclasses__():
        if "makes" in vars(below):
            yield below
        yield from concrete(below)


def test_every_example_is_accepted_by_its_command() -> None:
    """A body that is copied from the documentation works."""
    examples = command_examples()
    for place in (*AGENCY_PLACES, *COORDINATION_PLACES):
        place.command.model_validate(examples[operation_id(place.command)])


def test_no_command_has_a_field_for_free_text_or_income() -> None:
    """A caller cannot even try to send what must not lie on the record: every string has a closed form."""
    for place in (*AGENCY_PLACES, *COORDINATION_PLACES):
        for path, schema in strings(place.command):
            closed = {"enum", "const", "pattern", "format"} & schema.keys()
            assert closed, f"{place.command.__name__}: {path} is open text"
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
    assert set(NODE_KINDS) == {
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
