"""An ending stops services, so it is open only to an institution that still serves the survivor."""

from datetime import timedelta

import pytest

from handoff.exchange.routing import Known, route
from handoff.record.codec import encode
from handoff.record.codes import (
    AnsweredVia,
    CaseService,
    DeadlineStep,
    EndScope,
    FailureCode,
    RejectionCode,
    ReleasePurpose,
    StartKind,
    State,
)
from handoff.record.delivery import to_ms
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord, parse
from tests.support.dsl.builders import REFERRAL, event, nth_id, signed
from tests.support.dsl.spec import (
    DAY,
    LAWYER,
    POLICE,
    SHELTER,
    Given,
    Record,
    Sent,
    accepted,
    another,
    given,
    release,
    request,
    requested,
)

REPRESENTED = nth_id(3)
"""The referral under which legal aid already works."""


def _legal_aid_works() -> tuple[Sent, ...]:
    return (
        *another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION),
        Sent(LAWYER, r.ReferralAccepted(referral=REPRESENTED)),
        Sent(LAWYER, r.ReferralStarted(referral=REPRESENTED, kind=StartKind.FIRST_CONTACT)),
    )


@pytest.mark.parametrize(
    "answer",
    [
        r.ReferralRejected(referral=REFERRAL, code=RejectionCode.CONFLICT_OF_INTEREST),
        r.ReferralAccepted(referral=REFERRAL),
    ],
    ids=["by a shelter that refused her", "by a shelter that still serves her"],
)
def test_an_ending_does_not_stop_what_another_institution_already_gives(
    answer: r.ReferralRejected | r.ReferralAccepted,
) -> None:
    """Legal aid's work continues until legal aid itself confirms with the survivor that it shall end."""
    started = given(requested(), Sent(SHELTER, answer), _legal_aid_works())
    ended = started.when(SHELTER, c.SurvivorEnded(scope=EndScope.ALL))
    assert ended.record.referral(REPRESENTED).state is State.IN_PROGRESS
    reported = [entry for entry in ended.new if isinstance(entry.event.data, r.EndingReported)]
    assert [entry.event.data.referral for entry in reported] == [REPRESENTED]
    assert LAWYER in reported[0].recipients
    assert SHELTER not in reported[0].recipients
    assert SHELTER.encode() not in encode(reported[0].event)


def _reported() -> Record:
    """A record on which the shelter, which still serves her, reported an ending while legal aid works."""
    record = given(requested(), Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL)), _legal_aid_works()).record
    record.send(Sent(SHELTER, c.SurvivorEnded(scope=EndScope.ALL)))
    record.settle()
    return record


def test_an_ending_ends_the_emitters_own_referral_and_requests_of_others() -> None:
    """An institution that serves her ends its own service, and the requests that no institution has accepted."""
    request = another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION)
    ended = given(accepted(), request).when(SHELTER, c.SurvivorEnded(scope=EndScope.ALL))
    ended.then(c.SurvivorEnded, r.ReferralFailed, r.ReferralFailed, leaving=State.FAILED)
    assert ended.record.referral(REPRESENTED).state is State.FAILED


@pytest.mark.parametrize(
    ("answer", "age", "left"),
    [
        (r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL), DAY, State.REQUESTED),
        (r.ReferralFailed(referral=REFERRAL, code=FailureCode.LEFT_SERVICE), DAY, State.FAILED),
        (r.ReferralFailed(referral=REFERRAL, code=FailureCode.LEFT_SERVICE), 31 * DAY, State.REQUESTED),
    ],
    ids=["rejected her", "served her yesterday", "served her long ago"],
)
def test_a_report_by_an_institution_that_serves_her_no_more_ends_nothing_of_others(
    answer: r.ReferralRejected | r.ReferralFailed, age: timedelta, left: State
) -> None:
    """Its own service, and the age in the directory, decide if its report still ends requests of others."""
    before = requested() if isinstance(answer, r.ReferralRejected) else accepted()
    long = release(ReleasePurpose.LEGAL_REPRESENTATION, basis=nth_id(2), to=LAWYER, lasting=90 * DAY)
    asked = request(long, target=LAWYER, service=CaseService.LEGAL_AID, referral=REPRESENTED)
    history = given(before, Sent(SHELTER, answer), Sent(POLICE, long), Sent(POLICE, asked))
    ended = history.when(SHELTER, c.SurvivorEnded(scope=EndScope.ALL), after=age)
    assert ended.record.referral(REPRESENTED).state is left
    reported = ended.record.referral(REPRESENTED).ending_reported_at is not None
    assert reported is (left is State.REQUESTED)


def test_the_institution_that_serves_her_has_to_answer_a_reported_ending_in_time() -> None:
    """It confirms by ending the service, or continues with her word; until then the step is open and can be missed."""
    record = _reported()
    assert record.steps()[DeadlineStep.ENDING_ANSWERED] == DAY
    assert record.miss(DeadlineStep.ENDING_ANSWERED).verdict.is_effective
    continued = Given(record).when(LAWYER, r.ServiceContinued(referral=REPRESENTED, via=AnsweredVia.IN_PERSON))
    continued.then(r.ServiceContinued, dl.EscalationEnded, leaving=State.IN_PROGRESS, referral=REPRESENTED)
    assert DeadlineStep.ENDING_ANSWERED not in record.steps()
    Given(record).when(LAWYER, r.ServiceContinued(referral=REPRESENTED, via=AnsweredVia.IN_PERSON)).then_ineffective(
        "ending_not_reported"
    )


def test_a_confirmed_ending_closes_the_step() -> None:
    """The institution ends its own service with the code of an ending by the survivor."""
    record = _reported()
    confirmed = r.ReferralFailed(referral=REPRESENTED, code=FailureCode.SURVIVOR_ENDED)
    Given(record).when(LAWYER, confirmed).then(r.ReferralFailed, leaving=State.FAILED, referral=REPRESENTED)
    assert DeadlineStep.ENDING_ANSWERED not in record.steps()


def test_a_withdrawal_stays_open_to_every_institution_that_was_a_party() -> None:
    """A shelter that rejected her can still record the withdrawal, which stops disclosure immediately."""
    rejected = Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL))
    withdrawn = given(requested(), rejected, _legal_aid_works()).when(SHELTER, c.ReleaseWithdrawn(scope=EndScope.ALL))
    assert withdrawn.record.referral(REPRESENTED).state is State.IN_PROGRESS
    assert not withdrawn.record.referral(REPRESENTED).disclosure_open


@pytest.mark.parametrize("body", [c.ReleaseWithdrawn, c.SurvivorEnded])
@pytest.mark.parametrize("rejects", [True, False], ids=["rejected her", "has an open referral"])
def test_an_end_by_an_institution_without_an_open_referral_is_alarmed(
    body: type[c.ReleaseWithdrawn | c.SurvivorEnded], *, rejects: bool
) -> None:
    """The exchange alarms it under the name of its emitter; the event is effective all the same."""
    answer = r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL)
    record = given(requested(), *([Sent(SHELTER, answer)] if rejects else [])).record
    known = Known(record.directory, 0, record.cases, {}, {})
    spoken = signed(event(body(scope=EndScope.ALL), emitter=SHELTER, id=nth_id(90)))
    routed = route(known, (parse(KafkaRecord(99, to_ms(record.now), spoken)),), "0" * 64)
    assert routed.judged[0].verdict.is_effective
    assert [judged.proven_emitter for judged in routed.not_serving] == ([SHELTER] if rejects else [])
