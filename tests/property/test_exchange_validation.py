"""Validation by the exchange of any message that Kafka can carry."""

import os
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from handoff.domain.directory import Directory
from handoff.domain.evolve import evolve, initial_situation
from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.exchange.validation import Submission, SubmissionValidator, objection
from handoff.record import codec, signing
from handoff.record.codes import EntryPoint, RefusalCode, ReportingDelay
from handoff.record.envelope import COORDINATION, EXCHANGE
from handoff.record.events.case import CaseOpened
from handoff.record.events.directory import Admission, SubmissionRefused
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from tests.support.dsl.builders import JURISDICTION, T0, event, key_of, own_keys_of, signed

CHARTER = Charter(JURISDICTION, 1, COORDINATION, ())
VALIDATOR = SubmissionValidator("0" * 64, own_keys_of(EXCHANGE))
OPENED = event(CaseOpened(entry_point=EntryPoint.HOTLINE, reporting_delay=ReportingDelay.UNKNOWN))
GENUINE = signed(OPENED)
HEADERS = st.lists(st.tuples(st.sampled_from(["signature", "key-id", "content-type", "verdict"]), st.binary()))


def _directory() -> Directory:
    known = initial_situation(JURISDICTION, 1)
    members = ((Admission(member=name), key_of(name)) for name in ("police", "shelter"))
    founding = founding_event(CHARTER, key_of(COORDINATION), key_of(EXCHANGE), T0)
    for body in (founding, *admission_events(CHARTER, members, T0)):
        known = evolve(known, body, T0)
    return known.directory


DIRECTORY = _directory()


def submitted(message: Message, member: str = "police", offset: int = 0) -> Submission:
    return Submission(f"{JURISDICTION}.out.{member}", KafkaRecord(offset, 1_767_652_800_000, message))


def validated(submission: Submission) -> tuple[Message, str | None]:
    [found] = VALIDATOR.validate([submission], DIRECTORY)
    return found


@given(st.none() | st.binary(), st.none() | st.binary(max_size=400), HEADERS)
def test_random_bytes_neither_pass_nor_crash_the_validator(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    """A submission without a genuine signature is refused with a code, and only its hash is stored."""
    message, code = validated(submitted(Message(key, value, tuple(headers))))
    refused = codec.decode(message.value or b"").data
    assert isinstance(refused, SubmissionRefused)
    assert (refused.code, refused.value_hashes) == (code, (signing.sha256(value or b""),))


def test_a_genuine_event_passes_unchanged() -> None:
    """An accepted submission is appended to the record as it was signed."""
    assert validated(submitted(GENUINE)) == (GENUINE, None)


@given(st.integers(min_value=0, max_value=len(GENUINE.value or b"") - 1), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_never_passes(place: int, change: int) -> None:
    """No single byte of a signed event can be changed."""
    value = bytearray(GENUINE.value or b"")
    value[place] ^= change
    _, code = validated(submitted(replace(GENUINE, value=bytes(value))))
    assert code is not None


@given(HEADERS.filter(bool))
def test_no_extra_headers_are_forwarded(added: list[tuple[str, bytes]]) -> None:
    """A header beside the contract's, which no signature covers, is refused."""
    assert objection(submitted(replace(GENUINE, headers=GENUINE.headers + tuple(added))), DIRECTORY, "") is not None


def test_another_members_genuine_event_is_refused() -> None:
    """An event counts only on the topic of its emitter."""
    assert objection(submitted(GENUINE, "shelter"), DIRECTORY, "") is RefusalCode.KEY_NOT_OWNER


@given(st.integers(min_value=0, max_value=2**40))
def test_a_repeated_refusal_has_the_same_bytes(offset: int) -> None:
    """A refusal follows from the submission's place alone, so a repeat is a duplicate and never an equivocation."""
    garbage = submitted(Message(None, os.urandom(8)), offset=offset)
    assert validated(garbage) == validated(garbage)
    assert isinstance(codec.decode(validated(garbage)[0].value or b"").data, SubmissionRefused)
