"""A case in which much goes wrong: the example of docs/replay.md."""

from datetime import timedelta

from handoff.record.codes import DeadlineStep, EndScope, ReadPurpose, RejectionCode
from handoff.record.events import Body
from handoff.record.events import case as c
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.builders import event
from tests.support.dsl.spec import MINUTE, POLICE, REFERRAL, SECOND, SHELTER, SHELTER_B, Record, nth_id

NEXT = nth_id(3)


def eventful_record() -> Record:
    """Return a record: a full shelter rejects late, the next is asked late, her withdrawal precedes its acceptance."""
    record = Record()
    for sent in spec.requested():
        _append(record, sent.emitter, sent.body)
    _append(record, SHELTER, r.ReferralDelivered(referral=REFERRAL, seen=1), 2 * SECOND)
    record.miss(DeadlineStep.OPENED)
    _append(record, SHELTER, r.ReferralOpened(referral=REFERRAL, seen=3), 4 * MINUTE)
    _append(record, SHELTER, r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL, seen=4), 6 * MINUTE)
    _append(record, POLICE, spec.request(target=SHELTER_B, referral=NEXT), 38 * MINUTE)
    _append(record, POLICE, r.ReferralRedirected(referral=REFERRAL, next=NEXT, seen=5))
    _append(record, SHELTER_B, r.ReferralDelivered(referral=NEXT, seen=1))
    _append(record, SHELTER_B, r.ReferralOpened(referral=NEXT, seen=2), 3 * MINUTE)
    _append(record, SHELTER, c.CaseRead(reader=nth_id(70), purpose=ReadPurpose.ACT_ON_REFERRAL), MINUTE)
    _append(record, POLICE, c.ReleaseWithdrawn(scope=EndScope.ALL), 5 * MINUTE)
    _append(record, SHELTER_B, r.ReferralAccepted(referral=NEXT, via="phone", seen=3))
    return record


def _append(record: Record, member: str, body: Body, after: timedelta = SECOND) -> None:
    record.now += after
    record.append(event(body, emitter=member, time=record.now))
    record.settle()
