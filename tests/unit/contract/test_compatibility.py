"""A published schema keeps its language: what would break a reader of yesterday or tomorrow is found and named."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from handoff.contract.compatibility import incompatibilities
from handoff.contract.json_schema import schemas

SCHEMAS = schemas()
REQUESTED = SCHEMAS["referral.requested.v1"]


def body(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["ReferralRequested"]
    return found


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The schema of a request after ``change`` has had its way with it."""
    schema = copy.deepcopy(REQUESTED)
    change(schema)
    return schema


BREAKING: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a removed field": (lambda s: body(s)["properties"].pop("urgency"), "data: property urgency is gone"),
    "a new field": (lambda s: body(s)["properties"].update(x={}), "data: property x is new"),
    "a newly required field": (lambda s: body(s)["required"].append("sheet"), "data: required property sheet is new"),
    "a field no longer required": (
        lambda s: body(s)["required"].remove("target"),
        "data: required property target is gone",
    ),
    "a removed code": (
        lambda s: s["$defs"]["CaseService"]["enum"].remove("housing"),
        "data.service: code housing is gone",
    ),
    "a new code": (lambda s: s["$defs"]["Urgency"]["enum"].append("later"), "data.urgency: code later is new"),
    "another bound": (
        lambda s: body(s)["properties"]["seen"].update(maximum=9),
        "data.seen: maximum was 1000000 and is 9",
    ),
    "another type": (
        lambda s: body(s)["properties"]["seen"].update(type="string"),
        "data.seen: type was integer and is string",
    ),
    "another pattern": (
        lambda s: body(s)["properties"]["target"].update(pattern="^x$"),
        "data.target: pattern was ^[a-z][a-z0-9_]{1,39}$ and is ^x$",
    ),
    "another format in an optional field": (
        lambda s: body(s)["properties"]["due_at"]["anyOf"][0].update(format="date"),
        "data.due_at: format was date-time and is date",
    ),
    "a code in a list": (
        lambda s: s["$defs"]["SafetyFlag"]["enum"].remove("do_not_contact"),
        "data.safety_flags[]: code do_not_contact is gone",
    ),
    "a field of a snapshot within": (
        lambda s: s["$defs"]["BasisSnapshot"]["properties"].pop("kind"),
        "data.basis: property kind is gone",
    ),
    "an opened model": (
        lambda s: s.update(additionalProperties=True),
        "event: additionalProperties was False and is True",
    ),
    "an optional field that may no longer be null": (
        lambda s: body(s)["properties"].update(due_at={"type": "string", "format": "date-time"}),
        "data.due_at: format was None and is date-time",
    ),
    "an enumeration that anything may fill": (
        lambda s: s["$defs"]["Urgency"].pop("enum"),
        "data.urgency: enum was ['emergency', 'high', 'normal', 'low'] and is None",
    ),
}


@pytest.mark.parametrize(("change", "named"), BREAKING.values(), ids=BREAKING)
def test_a_breaking_change_is_named_with_its_place(change: Callable[[dict[str, Any]], object], named: str) -> None:
    assert named in incompatibilities(REQUESTED, changed(change))


def reword(schema: dict[str, Any]) -> None:
    schema["description"] = "Other words."
    body(schema)["properties"]["target"]["title"] = "Whom"
    body(schema)["properties"]["seen"]["default"] = 1


def reorder(schema: dict[str, Any]) -> None:
    schema["$defs"]["Urgency"]["enum"].reverse()
    body(schema)["required"].reverse()


def rename(schema: dict[str, Any]) -> None:
    schema["$defs"]["Request"] = schema["$defs"].pop("ReferralRequested")
    schema["properties"]["data"]["$ref"] = "#/$defs/Request"


@pytest.mark.parametrize("change", [reword, reorder, rename])
def test_wording_order_and_model_names_are_compatible_changes(change: Callable[[dict[str, Any]], object]) -> None:
    assert incompatibilities(REQUESTED, changed(change)) == ()


@pytest.mark.parametrize("event_type", SCHEMAS)
def test_a_schema_is_compatible_with_itself(event_type: str) -> None:
    assert incompatibilities(SCHEMAS[event_type], copy.deepcopy(SCHEMAS[event_type])) == ()


def test_every_difference_between_two_types_is_found_in_both_directions() -> None:
    accepted, rejected = SCHEMAS["referral.accepted.v1"], SCHEMAS["referral.rejected.v1"]
    assert "data: property via is gone" in incompatibilities(accepted, rejected)
    assert "data: property via is new" in incompatibilities(rejected, accepted)
