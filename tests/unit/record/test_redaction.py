"""A stub replaces a redacted value: the hashes stay, the effect is removed, and all readers agree."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.domain.directory import Directory
from handoff.domain.record_fold import RecordFold
from handoff.proof.log.entry import record_hash
from handoff.proof.verify.report import Check, Conclusion, VerificationReport
from handoff.proof.verify.verifier import verify
from handoff.record import codec, signing
from handoff.record.codes import EntryPoint, RedactionReason, ReportingDelay
from handoff.record.delivery import EFFECTIVE, REDACTED, Verdict, to_ms
from handoff.record.errors import NotAnEvent
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse, parse_value
from handoff.record.message import Message
from handoff.record.redaction import Redaction
from handoff.views.redaction_effects import DirectoryNotRedactable, dependent_offsets, redacted
from tests.support.dsl.builders import GENERATION, JURISDICTION, T0, event, nth_id, signed
from tests.support.parts.proof_record import (
    COORDINATOR,
    Dump,
    dump_of,
    founding,
    honest,
    opened,
    reading,
    receipt,
    trust,
)

WHY = RedactionReason.PERSONAL_DATA
LAST = 14
"""The last entry of the honest record, a case.read on which no other entry depends."""


def order(offset: int, value: bytes, reason: RedactionReason = WHY, emitter: str = COORDINATOR) -> Message:
    """The coordinator's order to redact a value."""
    body = d.ValueRedacted(offset=offset, value_hash=signing.sha256(value), reason=reason)
    return signed(event(body, emitter=emitter, subject=JURISDICTION, id=nth_id(500 + offset)))


def ordered(*offsets: int, **changed: Any) -> Dump:
    """The honest record with an order for each of these offsets."""
    messages = [honest().records[offset] for offset in range(honest().size)]
    return dump_of([*messages, *(order(offset, messages[offset].value or b"", **changed) for offset in offsets)])


def without(dump: Dump, *offsets: int) -> Dump:
    for offset in offsets:
        dump.records[offset] = redacted(dump.records[offset], WHY)
    return dump


def found(dump: Dump) -> VerificationReport:
    return verify(io.BytesIO(dump.bundle()), trust())


@given(st.binary(max_size=300))
def test_a_stub_is_written_in_one_way_and_is_never_an_event(value: bytes) -> None:
    redaction = Redaction.of(value, WHY)
    assert Redaction.found(redaction.stub) == redaction
    assert Redaction.of(redaction.stub, RedactionReason.COURT_ORDER) == redaction, "a second time changes nothing"
    with pytest.raises(NotAnEvent):
        codec.decode(redaction.stub)


@pytest.mark.parametrize(
    "near",
    [
        b'{"redacted": {"value_sha256":"%s","reason":"personal_data"}}' % (b"0" * 64),
        b'{"redacted":{"value_sha256":"%s","reason":"because"}}' % (b"0" * 64),
        b'{"redacted":{"value_sha256":"%s","reason":"personal_data"}}' % (b"A" * 64),
        b'{"redacted":{"value_sha256":"%s","reason":"personal_data"}}\n' % (b"0" * 64),
        b'{"redacted":{"reason":"personal_data","value_sha256":"%s"}}' % (b"0" * 64),
    ],
)
def test_a_value_that_resembles_a_stub_is_hashed_unchanged(near: bytes) -> None:
    assert Redaction.found(near) is None
    assert parse_value(near).value_hash == signing.sha256(near)


@given(st.binary(max_size=50), st.binary(max_size=300))
def test_a_stub_has_the_record_hash_of_the_redacted_entry(key: bytes, value: bytes) -> None:
    message = Message(key, value, (("signature", b"s"),))
    stub = redacted(message, WHY)
    assert record_hash(stub.key, stub.value, stub.headers) == record_hash(message.key, message.value, message.headers)


def test_a_redacted_record_gives_the_same_entries_and_so_the_same_root() -> None:
    before, after = honest(), without(honest(), LAST).relinked()
    assert after.entries == before.entries


def test_the_verifier_names_what_was_taken_out_and_does_not_call_the_bundle_complete() -> None:
    report = found(without(ordered(LAST), LAST))
    (failure,) = report.failures
    assert (report.conclusion, failure.finding.check) == (Conclusion.NOT_PROVABLE, Check.REDACTED)
    assert failure.place is not None
    assert failure.place.offset == LAST
    assert "personal_data" in failure.finding.sentence
    assert report.completeness.startswith("NOT complete as of size 16")


def test_a_receipt_still_holds_for_what_was_taken_out() -> None:
    dump = without(ordered(LAST), LAST)
    dump.receipts = [receipt(dump, LAST)]
    report = found(dump)
    assert {failure.finding.check for failure in report.failures} == {Check.REDACTED}
    assert report.conclusion is Conclusion.NOT_PROVABLE


@pytest.mark.parametrize(
    "dump",
    [
        pytest.param(honest(), id="no order"),
        pytest.param(ordered(LAST - 1), id="an order for another offset"),
        pytest.param(ordered(LAST, reason=RedactionReason.COURT_ORDER), id="an order for another reason"),
        pytest.param(ordered(LAST, emitter="police"), id="an order by an agency"),
        pytest.param(
            dump_of([honest().records[n] for n in range(honest().size)] + [order(LAST, b"another value")]),
            id="an order for another value",
        ),
    ],
)
def test_a_stub_that_the_coordinator_did_not_order_is_tampering(dump: Dump) -> None:
    """The writer of a bundle can replace any value with a stub; only the coordinator's event makes it a redaction."""
    report = found(without(dump, LAST))
    (failure,) = (failure for failure in report.failures if failure.place is not None and failure.place.offset == LAST)
    assert (report.conclusion, failure.finding.check) == (Conclusion.TAMPERED, Check.REDACTED)


def test_an_order_that_precedes_its_value_orders_nothing() -> None:
    """Such an order could be recorded for a value that does not exist yet."""
    messages = [honest().records[offset] for offset in range(honest().size)]
    early = order(LAST + 1, messages[LAST].value or b"")
    dump = without(dump_of([*messages[:LAST], early, messages[LAST]]), LAST + 1)
    assert found(dump).conclusion is Conclusion.TAMPERED


def test_an_ordered_value_that_is_still_there_is_proven() -> None:
    assert found(ordered(LAST)).conclusion is Conclusion.PROVEN


@pytest.mark.parametrize("digit", ["0", "f"])
def test_a_stub_for_something_that_was_never_recorded_is_tampering(digit: str) -> None:
    dump = honest()
    dump.records[LAST] = Message(dump.records[LAST].key, Redaction(digit * 64, WHY).stub, dump.records[LAST].headers)
    report = found(dump)
    assert (report.conclusion, report.failures[0].finding.check) == (Conclusion.TAMPERED, Check.CONTENT)


def test_a_stub_does_not_hide_that_its_entry_was_relinked() -> None:
    dump = without(ordered(LAST), LAST)
    dump.entries[LAST] = dump.entries[13]
    assert found(dump).conclusion is Conclusion.TAMPERED


def parsed(messages: list[Message]) -> list[ParsedRecord]:
    return [parse(KafkaRecord(offset, to_ms(T0) + offset, message)) for offset, message in enumerate(messages)]


def judged(messages: list[Message]) -> list[Verdict]:
    fold = RecordFold(GENESIS, Directory(JURISDICTION, GENERATION))
    return [fold.apply(record)[0].verdict for record in parsed(messages)]


FOUNDED = founding()
GENESIS = signing.sha256(FOUNDED[0].value or b"")
CASE_OPENED = len(FOUNDED)


def depends_on(taken: set[int], messages: list[Message]) -> tuple[int, ...]:
    return dependent_offsets(frozenset(taken), parsed(messages), GENESIS, Directory(JURISDICTION, GENERATION), WHY)


def test_a_stub_has_no_consequences_and_other_verdicts_are_unchanged() -> None:
    messages = [*FOUNDED, opened(), reading(1)]
    stubbed = [*messages[:-1], redacted(messages[-1], WHY)]
    assert judged(messages)[-1] == EFFECTIVE
    assert judged(stubbed) == [*judged(messages)[:-1], REDACTED]
    assert depends_on({CASE_OPENED + 1}, messages) == ()


def test_entries_with_changed_verdicts_are_named_and_can_be_redacted_too() -> None:
    again = c.CaseOpened(entry_point=EntryPoint.SCHOOL, reporting_delay=ReportingDelay.OVER_1Y, offered=())
    messages = [*FOUNDED, opened(), signed(event(again, id=nth_id(7))), reading(1)]
    assert depends_on({CASE_OPENED}, messages) == (CASE_OPENED + 1,), "the second opening would now be the first"
    assert depends_on({CASE_OPENED, CASE_OPENED + 1}, messages) == ()


def test_a_repetition_must_not_outlive_what_it_repeats() -> None:
    messages = [*FOUNDED, opened(), reading(1), reading(1)]
    assert depends_on({CASE_OPENED + 1}, messages) == (CASE_OPENED + 2,)


def test_the_directory_is_never_taken_out() -> None:
    with pytest.raises(DirectoryNotRedactable):
        depends_on({2}, [*FOUNDED, opened()])
