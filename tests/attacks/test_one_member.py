"""The cost of one member for the others is bounded: keys, deadlines, bases, referrals, refusals and batches."""

from collections.abc import Callable

import pytest

from handoff.domain.consequences import deadline_missed
from handoff.exchange.validation import Submission, SubmissionValidator
from handoff.operations.setup.access import quotas, user_name
from handoff.record import codec
from handoff.record.codes import (
    ApproverRole,
    BasisKind,
    DeadlineStep,
    EndScope,
    LegalRule,
    RefusalCode,
    SurvivorInformed,
    Urgency,
)
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE
from handoff.record.events import Body
from handoff.record.events.case import BasisRecorded, ReleaseWithdrawn
from handoff.record.events.directory import SubmissionRefused
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.signing import sha256
from handoff.views.replay.gaps import gaps
from tests.support.dsl import spec
from tests.support.dsl.builders import JURISDICTION, T0, nth_id, own_keys_of, signed
from tests.support.dsl.judged import READERS, story_of
from tests.support.dsl.spec import DIRECTORY, MINUTE, POLICE, Sent
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


def _open_referrals() -> list[Sent]:
    asked = (spec.request(referral=nth_id(2 * number + 1), urgency=Urgency.LOW) for number in range(MANY))
    return [spec.released(), *(Sent(POLICE, request) for request in asked)]


@pytest.mark.parametrize("flood", [_bases, _open_referrals])
def test_a_case_is_bounded(flood: Callable[[], list[Sent]]) -> None:
    """Beyond a limit, a further basis or a request that is no emergency is ineffective with a code."""
    record = spec.given(spec.opened()).record
    outcomes = {record.send(entries).verdict.is_effective for entries in flood()}
    assert outcomes == {True, False}


@pytest.mark.parametrize("flood", [_bases, _open_referrals])
def test_every_reader_applies_the_limit(flood: Callable[[], list[Sent]]) -> None:
    """Exchange, projection and history checker give the same verdict to each entry around the limit."""
    record = spec.given(spec.opened()).record
    record.send(*flood()[:210])
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
    """A case at its limits still takes a request in an emergency, its ground, and a withdrawal."""
    record = spec.given(spec.opened()).record
    record.send(*_open_referrals(), *_bases())
    assert not record.send(spec.released(spec.release(basis=nth_id(5_001)))).verdict.is_effective
    danger = _imminent_danger()
    assert record.send(spec.released(danger)).verdict.is_effective
    emergency = spec.request(referral=nth_id(5_005), urgency=Urgency.EMERGENCY)
    assert record.send(Sent(POLICE, emergency)).verdict.is_effective
    assert record.send(Sent(POLICE, ReleaseWithdrawn(scope=EndScope.ALL))).verdict.is_effective


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
