"""A refusal by the last office of a chain reaches the agency that asked first, through a person in between."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from handoff.domain.case import Referral
from handoff.domain.deadlines import open_steps
from handoff.domain.policies import reactions
from handoff.record.codec import encode
from handoff.record.codes import (
    CaseService,
    DeadlineStep,
    FailureCode,
    RejectionCode,
    ReleasePurpose,
    StartKind,
    State,
)
from handoff.record.delivery import EFFECTIVE
from handoff.record.events import Body
from handoff.record.events import referral as r
from handoff.record.events.directory import AgencyAdmitted
from services.social_work.policies import POLICIES as CSW_POLICIES
from tests.support.dsl import spec
from tests.support.dsl.spec import COORDINATION, CSW, SHELTER, Record, Sent, given, nth_id, side, source

OFFICE = "benefits_office"
ASKED = nth_id(41)
BENEFIT = CaseService.BENEFIT_CONTINUITY


class Chain(NamedTuple):
    """The shelter asked the Center for Social Work, which asked the office in its own name as ``onward``."""

    record: Record
    onward: Referral

    def end(self, *bodies: Body) -> None:
        """Let the office end the onward request, and let the node of the Center react."""
        self.record.send(*(Sent(OFFICE, body) for body in bodies))
        react(self.record)


def react(record: Record) -> None:
    """Let the node of the Center react until it has nothing to add."""
    while True:
        events, _ = reactions(CSW_POLICIES, side(CSW, record).known, source(CSW))
        new = [event for event in events if event.identity not in record.hashes]
        if not new:
            return
        for event in new:
            record.append(event)
        record.settle()


@pytest.fixture
def chain() -> Chain:
    to_csw, to_office = (
        spec.release(ReleasePurpose.BENEFIT_CONTINUITY, basis=nth_id(basis), to=member)
        for basis, member in ((40, CSW), (42, OFFICE))
    )
    asked = spec.request(to_csw, target=CSW, service=BENEFIT, referral=ASKED)
    admitted = Sent(COORDINATION, AgencyAdmitted(member=OFFICE, services=(BENEFIT,)))
    record = given(admitted, *spec.started(), Sent(SHELTER, to_csw), Sent(SHELTER, asked), Sent(CSW, to_office)).record
    react(record)
    [onward] = (referral for referral in record.case().referrals.values() if referral.target == OFFICE)
    assert record.referral(ASKED).state is State.IN_PROGRESS
    return Chain(record, onward)


def refused(chain: Chain) -> tuple[Body, ...]:
    return (r.ReferralRejected(referral=chain.onward.id, code=RejectionCode.OUTSIDE_MANDATE),)


def failed(chain: Chain) -> tuple[Body, ...]:
    return (
        r.ReferralAccepted(referral=chain.onward.id),
        r.ReferralStarted(referral=chain.onward.id, kind=StartKind.WORK_BEGUN),
        r.ReferralFailed(referral=chain.onward.id, code=FailureCode.PROVIDER_CAPACITY),
    )


def owed_to_the_shelter(record: Record) -> set[DeadlineStep]:
    """The steps of the shelter's request that the Center has yet to take."""
    return {step.step for holder, step in open_steps(record.case()) if holder.id == ASKED}


@pytest.mark.parametrize("end", [refused, failed])
def test_an_onward_refusal_gives_the_institution_in_between_a_task_with_a_deadline(
    chain: Chain, end: Callable[[Chain], tuple[Body, ...]]
) -> None:
    """A person at the Center has to answer the shelter; the step has a deadline, and no policy answers in between."""
    before = owed_to_the_shelter(chain.record)
    chain.end(*end(chain))
    assert owed_to_the_shelter(chain.record) == before | {DeadlineStep.ONWARD_ANSWERED}
    assert chain.record.referral(ASKED).state is State.IN_PROGRESS
    late = chain.record.miss(DeadlineStep.ONWARD_ANSWERED)
    assert late.verdict == EFFECTIVE
    assert late.follows[0].data.member == CSW


def test_the_first_asker_receives_the_refusal_as_a_code_that_names_no_office(chain: Chain) -> None:
    """The shelter receives the end of its own request, and nothing about the onward request."""
    chain.end(*refused(chain))
    ended = chain.record.send(Sent(CSW, r.ReferralFailed(referral=ASKED, code=FailureCode.ONWARD_REFUSED)))
    assert DeadlineStep.ONWARD_ANSWERED not in owed_to_the_shelter(chain.record)
    of_the_shelter = [entry.event for entry in chain.record.entries if SHELTER in entry.recipients]
    about_it = [event for event in of_the_shelter if getattr(event.data, "referral", None) == ASKED]
    assert not [event for event in about_it if OFFICE.encode() in encode(event)]
    assert ended.verdict == EFFECTIVE
    assert SHELTER in ended.recipients
    assert chain.record.referral(ASKED).code == FailureCode.ONWARD_REFUSED
    assert chain.onward.id not in side(SHELTER, chain.record).referrals
