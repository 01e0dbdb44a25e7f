"""The record fold: state and first occurrences of one pass, and the definition of an alarming entry for all readers."""

import pytest

from handoff.domain.directory import Directory
from handoff.domain.record_fold import JudgedRecord, RecordFold
from handoff.record.codec import AnyEvent
from handoff.record.codes import BasisEndReason, IneffectiveReason, RefusalCode, State
from handoff.record.delivery import DUPLICATE, EFFECTIVE, REDACTED, Verdict, VerdictKind, from_ms, ineffective, invalid
from handoff.record.envelope import EXCHANGE, Identity
from handoff.record.events.directory import SubmissionRefused
from handoff.record.events.referral import ReferralRevoked
from handoff.record.kafka_record import KafkaRecord, parse
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, JURISDICTION, event, signed
from tests.support.dsl.judged import GENESIS_HASH, founded, parsed

EMPTY = Directory(JURISDICTION, GENERATION)
_REFUSED = SubmissionRefused(member=spec.POLICE, code=RefusalCode.SCHEMA, value_hashes=("0" * 64,))
REVOKED = event(ReferralRevoked(referral=spec.REFERRAL, reason=BasisEndReason.RELEASE_WITHDRAWN), emitter=EXCHANGE)
REFUSED = event(_REFUSED, emitter=EXCHANGE)
OPENED = event(spec.opened().body)


def judged(judged_event: AnyEvent, verdict: Verdict) -> JudgedRecord:
    return JudgedRecord(parse(KafkaRecord(0, 0, signed(judged_event))), 0, from_ms(0), verdict)


@pytest.mark.parametrize(
    ("judged_event", "verdict", "alarming"),
    [
        (OPENED, EFFECTIVE, False),
        (OPENED, DUPLICATE, False),
        (OPENED, ineffective(IneffectiveReason.ALREADY), False),
        (OPENED, invalid(RefusalCode.EQUIVOCATION), True),
        (OPENED, REDACTED, True),
        (REVOKED, ineffective(State.ACCEPTED), False),
        (REVOKED, ineffective(IneffectiveReason.TOO_EARLY), False),
        (REVOKED, ineffective(State.ABSENT), True),
        (REFUSED, EFFECTIVE, False),
        (REFUSED, ineffective(IneffectiveReason.ALREADY), True),
    ],
    ids=str,
)
def test_an_entry_is_alarming_if_no_race_explains_it(judged_event: AnyEvent, verdict: Verdict, alarming: bool) -> None:  # noqa: FBT001 - a parameter
    """Invalid entries are, and so are ineffective events of the exchange that nothing could overtake."""
    assert judged(judged_event, verdict).is_alarming is alarming


def test_only_the_first_valid_entry_takes_an_identity() -> None:
    """A repetition leaves the first value hash in place, and so do other bytes with the same identity."""
    other = OPENED.model_copy(update={"time": spec.T0 - spec.DAY})
    records = tuple(parsed(founded(*((signed(one), spec.T0) for one in (OPENED, OPENED, other)))))
    fold = RecordFold(GENESIS_HASH, EMPTY)
    kinds = [fold.apply(record)[0].verdict.kind for record in records][-3:]
    assert kinds == [VerdictKind.EFFECTIVE, VerdictKind.DUPLICATE, VerdictKind.INVALID]
    assert fold.first_hashes[Identity(OPENED.subject, OPENED.source, OPENED.id)] == records[-3].value_hash


def test_a_case_that_was_loaded_counts_as_one_that_was_folded() -> None:
    """A fold that starts in the middle, with the state before it, gives the same verdicts and states."""
    records = tuple(
        parsed(founded(*((signed(event(one.body, emitter=one.emitter)), spec.T0) for one in spec.requested())))
    )
    whole, first = RecordFold(GENESIS_HASH, EMPTY), RecordFold(GENESIS_HASH, EMPTY)
    expected = [whole.apply(record) for record in records]
    for record in records[:-1]:
        first.apply(record)
    second = RecordFold(
        GENESIS_HASH,
        first.directory,
        first.record_ms,
        cases=dict(first.cases),
        escalations=dict(first.escalations),
        first_hashes=dict(first.first_hashes),
    )
    assert second.apply(records[-1]) == expected[-1]
    assert second.cases == whole.cases
