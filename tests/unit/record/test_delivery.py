"""The exchange's additions to an event in an inbox can be removed again, and the rest is unchanged."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.record.delivery import (
    DUPLICATE,
    EFFECTIVE,
    BrokenDelivery,
    Delivery,
    Verdict,
    VerdictKind,
    from_ms,
    ineffective,
    invalid,
    to_ms,
)
from handoff.record.events import referral
from handoff.record.message import Message
from tests.support.dsl.builders import REFERRAL, T0, event, signed

MESSAGE = signed(event(referral.ReferralOpened(referral=REFERRAL)))
VERDICTS = [EFFECTIVE, DUPLICATE, ineffective("release_withdrawn"), ineffective("on-hold"), invalid("signature")]


@pytest.mark.parametrize("verdict", VERDICTS, ids=str)
def test_a_delivery_survives_its_way_through_kafka(verdict: Verdict) -> None:
    delivery = Delivery(7, T0, verdict, MESSAGE)
    assert Delivery.from_message(delivery.to_message()) == delivery


@given(
    st.integers(min_value=1, max_value=2**63),
    st.integers(min_value=0, max_value=7_258_118_400_000),
    st.sampled_from(VerdictKind),
    st.none() | st.sampled_from(["revoked", "code_not_allowed"]),
)
def test_any_sequence_time_and_verdict_come_back(
    sequence: int, milliseconds: int, outcome: VerdictKind, reason: str | None
) -> None:
    delivery = Delivery(sequence, from_ms(milliseconds), Verdict(outcome, reason), MESSAGE)
    assert Delivery.from_message(delivery.to_message()) == delivery


def test_the_signed_bytes_key_and_headers_are_not_touched() -> None:
    delivered = Delivery(1, T0, EFFECTIVE, MESSAGE).to_message()
    assert (delivered.key, delivered.value) == (MESSAGE.key, MESSAGE.value)
    assert delivered.headers[: len(MESSAGE.headers)] == MESSAGE.headers


def test_the_headers_follow_the_contract() -> None:
    delivered = Delivery(12, T0, ineffective("revoked"), MESSAGE).to_message()
    assert delivered.headers[len(MESSAGE.headers) :] == (
        ("inbox-sequence", b"12"),
        ("record-time", b"1767652800000"),
        ("verdict", b"ineffective"),
        ("verdict-reason", b"revoked"),
    )


BROKEN = {
    "none at all": (),
    "no verdict": (("inbox-sequence", b"1"), ("record-time", b"1")),
    "a sequence that is no number": (("inbox-sequence", b"one"), ("record-time", b"1"), ("verdict", b"effective")),
    "a time out of any calendar": (("inbox-sequence", b"1"), ("record-time", b"9" * 30), ("verdict", b"effective")),
    "an unknown verdict": (("inbox-sequence", b"1"), ("record-time", b"1"), ("verdict", b"maybe")),
    "a verdict that is no text": (("inbox-sequence", b"1"), ("record-time", b"1"), ("verdict", b"\xff")),
    "two sequences": (
        ("inbox-sequence", b"1"),
        ("inbox-sequence", b"2"),
        ("record-time", b"1"),
        ("verdict", b"effective"),
    ),
}


@pytest.mark.parametrize("headers", BROKEN.values(), ids=BROKEN)
def test_an_inbox_record_without_the_exchanges_headers_is_broken(headers: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(BrokenDelivery):
        Delivery.from_message(Message(MESSAGE.key, MESSAGE.value, MESSAGE.headers + headers))


def test_only_an_effective_verdict_changes_anything() -> None:
    assert [verdict.is_effective for verdict in VERDICTS] == [True, False, False, False, False]


@given(st.integers(min_value=0, max_value=7_258_118_400_000))
def test_milliseconds_survive_being_a_time(milliseconds: int) -> None:
    assert to_ms(from_ms(milliseconds)) == milliseconds
    assert from_ms(milliseconds).tzinfo is UTC


def test_a_time_is_rounded_to_kafkas_precision() -> None:
    assert from_ms(to_ms(datetime(2026, 1, 5, 22, 40, 0, 123_400, UTC))) == datetime(
        2026, 1, 5, 22, 40, 0, 123_000, UTC
    )
