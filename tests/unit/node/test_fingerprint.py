"""Fingerprint that distinguishes a repetition under one idempotency key from another request."""

import hashlib
from uuid import UUID

import pytest

from handoff.domain import commands
from handoff.domain.decide import About
from handoff.node.commands.command_batch import fingerprint
from handoff.record.codes import CaseService, Urgency
from tests.support.dsl.builders import CASE, T0, nth_id

ABOUT = About(case=CASE)
FIELDS = {"target": "shelter", "service": CaseService.SHELTER, "urgency": Urgency.HIGH, "basis": nth_id(1)}


class RequestReferral(commands.RequestReferral):
    """The command in a later release, which has an optional field more."""

    interpreter: str | None = None
    companions: int = 0


def test_a_new_optional_field_does_not_turn_a_retry_into_another_request() -> None:
    before = fingerprint(commands.RequestReferral(**FIELDS), ABOUT)
    assert fingerprint(RequestReferral(**FIELDS), ABOUT) == before
    assert fingerprint(RequestReferral(**FIELDS, interpreter=None, companions=0), ABOUT) == before


def test_a_value_for_the_new_field_is_another_request() -> None:
    assert fingerprint(RequestReferral(**FIELDS, companions=1), ABOUT) != fingerprint(RequestReferral(**FIELDS), ABOUT)


def test_a_command_and_its_copy_from_json_are_one_request() -> None:
    command = commands.RequestReferral(**FIELDS, occurred_at=T0)
    again = commands.RequestReferral.model_validate_json(command.model_dump_json())
    assert fingerprint(again, ABOUT) == fingerprint(command, ABOUT)


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"urgency": Urgency.LOW}, ABOUT),
        ({"occurred_at": T0}, ABOUT),
        ({}, About(case=nth_id(7))),
        ({}, About(case=CASE, referral=nth_id(7))),
    ],
)
def test_every_field_and_every_id_in_the_path_counts(fields: dict[str, object], about: About) -> None:
    one = fingerprint(commands.RequestReferral(**FIELDS), ABOUT)
    assert fingerprint(commands.RequestReferral(**{**FIELDS, **fields}), about) != one


def test_the_id_that_the_node_creates_does_not_count() -> None:
    """It derives from the key, or is new with every attempt."""
    command = commands.RequestReferral(**FIELDS)
    assert fingerprint(command, About(case=CASE, makes=UUID(int=1))) == fingerprint(command, ABOUT)


def test_two_commands_with_equal_fields_differ() -> None:
    assert fingerprint(commands.CancelReferral(), ABOUT) != fingerprint(commands.OpenReferral(), ABOUT)


def test_the_encoding_is_fixed() -> None:
    """A change of the encoding needs the next version, beside this one for the keys that are stored."""
    encoded = (
        f'{{"about":{{"case":"{CASE}"}},"command":"RequestReferral",'
        f'"fields":{{"basis":"{nth_id(1)}","service":"shelter","target":"shelter","urgency":"high"}}}}'
    )
    found = fingerprint(commands.RequestReferral(**FIELDS), ABOUT)
    assert found == f"1:{hashlib.sha256(encoded.encode()).hexdigest()}"
