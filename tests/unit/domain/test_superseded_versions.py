"""A record with superseded versions of events gives the same state as one with the current versions."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from handoff.record.codec import decode, encode
from handoff.record.codes import DeadlineStep
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.message import Message, sign
from handoff.record.upcasting import DeadlineEscalatedV1
from tests.support.dsl import spec
from tests.support.dsl.builders import key_of, signed
from tests.support.dsl.judged import READERS, Appended, founded, routed
from tests.support.dsl.spec import given


def escalated() -> spec.Record:
    """A request that was delivered late, and its escalation."""
    record = given(spec.requested()).record
    record.miss(DeadlineStep.DELIVERED)
    return record


NEWER = ("urgency", "since", "due_at", "acknowledge_by", "notify_at", "repeats")
"""Fields that only the second version has."""


def as_first_version(event: Event[Any]) -> bytes:
    """The bytes that a release before the second version wrote for the same escalation."""
    document = json.loads(encode(event))
    document["type"] = DeadlineEscalatedV1.type
    document["dataschema"] = f"/schemas/events/{DeadlineEscalatedV1.type}.json"
    document["data"]["age"] = document["data"].pop("age_seconds")
    for name in NEWER:
        document["data"].pop(name, None)
    return json.dumps(document).encode()


def story(record: spec.Record, *, first_version: bool) -> list[Appended]:
    def message(event: Event[Any]) -> Message:
        if first_version and event.type == "deadline.escalated.v2":
            return sign(event.subject, as_first_version(event), key_of(EXCHANGE))
        return signed(event)

    return founded(*((message(entry.event), entry.at) for entry in record.entries))


@pytest.mark.parametrize("reader", READERS)
def test_each_reader_judges_a_recorded_first_version_like_the_current_one(reader: str) -> None:
    """Exchange, projection and history checker: every entry is effective in both records."""
    old, new = (READERS[reader](story(escalated(), first_version=first)) for first in (True, False))
    assert old == new
    assert set(old) == {"effective"}


def test_the_escalation_of_a_recorded_first_version_is_the_same() -> None:
    """The coordinator's open escalation has its age, and can be acknowledged. It lacks what only the second one has."""
    old, new = (routed(story(escalated(), first_version=first)).escalations for first in (True, False))
    [escalation], [newer] = old.values(), new.values()
    assert escalation is not None
    assert newer is not None
    assert escalation == replace(newer, **dict.fromkeys(NEWER))
    assert escalation.age_seconds > 0


def test_the_first_version_of_an_escalation_decodes_to_the_current_event() -> None:
    """Only the name of the age, the version, and what only the second one has differ between the two."""
    event = escalated().entries[-1].event
    assert event.type == "deadline.escalated.v2"
    assert decode(as_first_version(event)).data == event.data.model_copy(update=dict.fromkeys(NEWER))
