"""The cost of one member for the others is bounded: keys, deadlines, bases, referrals, refusals and batches."""

from collections.abc import Callable

import pytest

from handoff.domain.consequences import deadline_missed
from handoff.domain.directory import MAX_OWN_REGISTRATIONS, REGISTRATION_PERIOD
from handoff.domain.founding import key_registration
from handoff.exchange.validation import Submission, SubmissionValidator
from handoff.operations.setup.access import quotas, user_name
from handoff.record import codec
from handoff.record.codes import (
    ApproverRole,
    BasisKind,
    DeadlineStep,
    EndScope,
    KeyUse,
    LegalRule,
    ReadPurpose,
    RefusalCode,
    SurvivorInformed,
    Urgency,
)
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE
from handoff.record.events import Body
from handoff.record.events.case import BasisRecorded, CaseRead, CasesLinked, ReleaseWithdrawn, SurvivorEnded
from handoff.record.events.directory import KeyRegistered, KeyRetired, SubmissionRefused
from handoff.record.events.referral import ReferralCancelled
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.signing import SigningKey, sha256
from handoff.views.replay.gaps import gaps
from tests.support.dsl import spec
from tests.support.dsl.builders import JURISDICTION, T0, key_of, nth_id, own_keys_of, signed
from tests.support.dsl.judged import READERS, story_of
from tests.support.dsl.spec import COORDINATION, DAY, DIRECTORY, MINUTE, POLICE, Record, Sent
from tests.support.parts.replayed import replayed

MANY = 600
SUBMISSIONS = 1_000


def test_a_missed_deadline_leaves_the_directory_as_it_was() -> None:
    """Overdue steps are rows of their own."""
    record = spec.given(spec.requested()).record
    before = record.directory
    holder, step = record.step(DeadlineStep.DELIVERED)
    record.now = step.due_at + MINUTE
    record.append(deadline_missed(record.known(), holder, step, 0))
    assert record.directory is before


def _bases() -> list[Sent]:
    return [spec.released(spec.release(basis=nth_id(2 * number))) for number in range(MANY)]


def _requests() -> list[Sent]:
    asked = (spec.request(referral=nth_id(2 * number + 1), urgency=Urgency.LOW) for number in range(MANY))
    return [Sent(POLICE, request) for request in asked]


def _open_referrals() -> list[Sent]:
    return [spec.released(), *_requests()]


def _ended_referrals() -> list[Sent]:
    ids = [nth_id(2 * number + 1) for number in range(MANY)]
    cancelled = [Sent(POLICE, ReferralCancelled(referral=referral)) for referral in ids]
    return [spec.released(), *(sent for both in zip(_requests(), cancelled, strict=True) for sent in both)]


def _links() -> list[Sent]:
    return [Sent(POLICE, CasesLinked(other_case=nth_id(9_000 + number))) for number in range(MANY)]


FLOODS: dict[str, tuple[Callable[[], list[Sent]], int]] = {
    "too_many_bases": (_bases, 210),
    "too_many_open_referrals": (_open_referrals, 110),
    "too_many_referrals": (_ended_referrals, 810),
    "too_many_links": (_links, 60),
}
"""Reason → a flood, and the number of its events that go beyond the limit."""


@pytest.mark.parametrize("reason", FLOODS)
def test_a_case_is_bounded(reason: str) -> None:
    """Beyond a limit, a further basis, link or request that is no emergency is ineffective with a code."""
    record = spec.given(spec.opened()).record
    flood, enough = FLOODS[reason]
    assert {record.send(sent).verdict.reason for sent in flood()[:enough]} >= {None, reason}


@pytest.mark.parametrize("reason", FLOODS)
def test_every_reader_applies_the_limit(reason: str) -> None:
    """Exchange, projection and history checker give the same verdict to each entry around the limit."""
    record = spec.given(spec.opened()).record
    flood, enough = FLOODS[reason]
    record.send(*flood()[:enough])
    outcomes = {reader: outcomes_of(story_of(record)) for reader, outcomes_of in READERS.items()}
    assert len({tuple(found) for found in outcomes.values()}) == 1
    assert outcomes["exchange"].count("ineffective") > 0


def _imminent_danger() -> BasisRecorded:
    return spec.release(
        basis=nth_id(5_003),
        kind=BasisKind.IMMINENT_DANGER,
        rule=LegalRule.DOMESTIC_VIOLENCE_LAW,
        approver_role=ApproverRole.DUTY_OFFICER,
        approval_due_at=T0 + MINUTE,
        survivor_informed=SurvivorInformed.YES,
    )


def test_an_emergency_has_no_limit() -> None:
    """A case at its limits takes a request in an emergency, its ground, reads, a withdrawal and an ending."""
    record = spec.given(spec.opened()).record
    record.send(*_ended_referrals(), *_open_referrals(), *_bases())
    assert not record.send(spec.released(spec.release(basis=nth_id(5_001)))).verdict.is_effective
    danger = _imminent_danger()
    assert record.send(spec.released(danger)).verdict.is_effective
    emergency = spec.request(referral=nth_id(5_005), urgency=Urgency.EMERGENCY)
    assert record.send(Sent(POLICE, emergency)).verdict.is_effective
    ending = SurvivorEnded(scope=EndScope.PURPOSE, purpose=danger.purpose)
    for body in (CaseRead(reader=nth_id(7), purpose=ReadPurpose.ACT_ON_REFERRAL), ending):
        assert all(record.send(Sent(POLICE, body)).verdict.is_effective for _ in range(MANY))
    assert record.send(Sent(POLICE, ReleaseWithdrawn(scope=EndScope.ALL))).verdict.is_effective


def test_a_member_registers_few_keys_in_a_month_also_if_it_retires_them() -> None:
    """Ended keys stay in the directory. The coordinator can still register one, and a month later the member can."""
    record = Record()
    before = len(record.directory.keys)
    keys = [key_of(f"own {number}") for number in range(30)]
    for key in keys:
        record.send(Sent(POLICE, _sealing(key)), Sent(POLICE, KeyRetired(key=key.id), after=2 * DAY / len(keys)))
        record.now += DAY / 12
    assert len(record.directory.keys) - before == MAX_OWN_REGISTRATIONS
    another, late = key_of("another"), key_of("late")
    assert record.send(Sent(POLICE, _sealing(another))).verdict.reason == "too_many_keys"
    outcomes = {reader: outcomes_of(story_of(record)) for reader, outcomes_of in READERS.items()}
    assert len({tuple(found) for found in outcomes.values()}) == 1
    assert record.send(Sent(COORDINATION, _sealing(another))).verdict.is_effective
    assert record.send(Sent(POLICE, _sealing(late), after=REGISTRATION_PERIOD)).verdict.is_effective


def _sealing(key: SigningKey) -> KeyRegistered:
    return key_registration(JURISDICTION, POLICE, key).model_copy(update={"use": KeyUse.SEALING})


def test_a_thousand_malformed_submissions_cost_little() -> None:
    """The refused submissions of one member in one second take less of the record than a hundred events."""
    sent = [_garbage(offset) for offset in range(SUBMISSIONS)]
    validated = SubmissionValidator("0" * 64, own_keys_of(EXCHANGE)).validate(sent, DIRECTORY)
    assert sum(_size(message) for message, _ in validated) < 100 * 1024


def test_the_entry_of_a_refused_submission_is_small_whatever_was_sent() -> None:
    """A submission of the largest size that the broker takes, with any headers, costs one small event."""
    vast = Message(b"k" * 9_000, b"x" * 900_000, tuple((f"h{number}", b"v" * 900) for number in range(90)))
    sent = [Submission(f"{JURISDICTION}.out.police", KafkaRecord(0, to_ms(T0), vast))]
    [(entry, code)] = SubmissionValidator("0" * 64, own_keys_of(EXCHANGE)).validate(sent, DIRECTORY)
    assert code is not None
    assert _size(entry) < 1024


def test_refusals_of_one_member_share_no_event_with_those_of_another() -> None:
    """Each member learns of its own, each hash is on the record once, and accepted events keep their order."""
    opened = [spec.given(spec.opened()).record.entries[0].event]
    good = [Submission(f"{JURISDICTION}.out.police", KafkaRecord(5, to_ms(T0), signed(event))) for event in opened]
    sent = [_garbage(0), _garbage(1, "shelter"), *good, _garbage(2), *(_garbage(n) for n in range(10, 500))]
    found = list(SubmissionValidator("0" * 64, own_keys_of(EXCHANGE)).validate(sent, DIRECTORY))
    refused = [body for message, code in found if code and isinstance(body := _body(message), SubmissionRefused)]
    assert [message for message, code in found if code is None] == [one.message for one in good]
    assert {(body.member, value) for body in refused for value in body.value_hashes} == {
        (one.member, sha256(one.message.value or b"")) for one in sent if one not in good
    }
    assert [len(body.value_hashes) for body in refused if body.member == POLICE] == [200, 200, 92]


def _body(message: Message) -> Body:
    return codec.decode(message.value or b"").data


def _garbage(offset: int, member: str = "police") -> Submission:
    record = KafkaRecord(offset, to_ms(T0) + offset, Message(b"x", b"%d" % offset))
    return Submission(f"{JURISDICTION}.out.{member}", record)


def _size(message: Message) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def test_a_refused_submission_marks_no_case() -> None:
    """Nothing shows that what was refused was about this case."""
    record = spec.given(spec.requested()).record
    refused = SubmissionRefused(member=POLICE, code=RefusalCode.MALFORMED, value_hashes=("ab" * 32,))
    assert record.send(Sent(EXCHANGE, refused)).verdict.is_effective
    assert gaps(replayed(record), record.now).rows == ()


def test_a_member_has_a_request_quota() -> None:
    """A byte rate counts a batch as it was compressed; a share of request time counts what it costs the broker."""
    shares = {quota.user: quota.request_percentage for quota in quotas(JURISDICTION, spec.MEMBERS)}
    assert max(shares[user_name(JURISDICTION, member)] for member in spec.MEMBERS) < 100
