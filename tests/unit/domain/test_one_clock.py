"""One clock for waits and deadlines: holds, expired releases and working days count for both in the same way."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from handoff.domain.consequences import deadline_missed
from handoff.domain.timers import EXPIRY, event_at, timers, timers_of
from handoff.record.codec import encode
from handoff.record.codes import (
    BasisEndReason,
    CaseService,
    DeadlineSource,
    DeadlineStep,
    DeadlineUnit,
    HoldCode,
    IneffectiveReason,
    ReleasePurpose,
    State,
    Urgency,
)
from handoff.record.delivery import EFFECTIVE, ineffective
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.spec import (
    COORDINATION,
    CSW,
    DAY,
    EXCHANGE,
    HOUR,
    MINUTE,
    POLICE,
    REFERRAL,
    SECOND,
    SHELTER,
    Record,
    Sent,
    given,
    nth_id,
)

MANAGED = nth_id(3)
PRIZREN = ZoneInfo("Europe/Belgrade")


# Holds


def resumed(*holds: timedelta) -> Record:
    """Case management that was accepted, and put on hold an hour later and an hour after each resumption."""
    asked = spec.another(CaseService.CASE_MANAGEMENT, CSW, ReleasePurpose.CASE_MANAGEMENT)
    record = given(spec.opened(), *asked, Sent(CSW, r.ReferralAccepted(referral=MANAGED))).record
    for length in holds:
        record.send(
            Sent(CSW, r.ReferralPaused(referral=MANAGED, code=HoldCode.SURVIVOR_REQUEST), HOUR),
            Sent(CSW, r.ReferralResumed(referral=MANAGED), length),
        )
    return record


@pytest.mark.parametrize("holds", [(5 * DAY,), (2 * DAY, 3 * DAY)], ids=["one hold", "two holds"])
def test_a_hold_moves_the_deadline_by_its_length(holds: tuple[timedelta, ...]) -> None:
    """The first contact may take a day, and only the hours outside the holds count."""
    record = resumed(*holds)
    _, step = record.step(DeadlineStep.FIRST_CONTACT)
    assert step.due_at - record.now == DAY - len(holds) * HOUR


def test_no_step_is_late_when_a_long_hold_ends() -> None:
    """A missed deadline that the exchange's timer emits at the resumption is too early, and escalates nothing."""
    record = resumed(5 * DAY)
    late = record.append(deadline_missed(record.known(), *record.step(DeadlineStep.FIRST_CONTACT), attempt=0))
    assert late.verdict == ineffective(IneffectiveReason.TOO_EARLY)


# Releases that expire


def unanswered(lasting: timedelta) -> Record:
    """A request that was delivered and opened, under a release that lasts so long."""
    short = spec.release(lasting=lasting)
    seen = (r.ReferralDelivered(referral=REFERRAL), r.ReferralOpened(referral=REFERRAL))
    asked = (spec.opened(), spec.released(short), Sent(POLICE, spec.request(short)))
    return given(*asked, *(Sent(SHELTER, body) for body in seen)).record


def test_no_answer_is_late_after_its_release_expired() -> None:
    """The answer is due half an hour after the release expired, and a late answer is neither recorded nor escalated."""
    late = unanswered(lasting=30 * MINUTE).miss(DeadlineStep.ANSWERED)
    assert (late.verdict.is_effective, late.follows) == (False, ())


def expired(referral: UUID = REFERRAL) -> Sent:
    """The exchange's event that ends a request whose release has expired."""
    revoked = r.ReferralRevoked(referral=referral, reason=BasisEndReason.BASIS_EXPIRED)
    return Sent(EXCHANGE, revoked)


def test_a_request_is_not_ended_before_its_release_expires() -> None:
    """An event of the exchange that ends it too early is ineffective; the shelter can still accept."""
    record = unanswered(lasting=30 * MINUTE)
    assert record.send(expired()).verdict == ineffective(IneffectiveReason.TOO_EARLY)
    assert record.send(Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL))).verdict == EFFECTIVE


def test_an_answer_after_the_expiry_is_ineffective_because_the_release_expired() -> None:
    """The reason of the end is kept, so the verdict on a later acceptance names no withdrawal that never happened."""
    record = unanswered(lasting=30 * MINUTE)
    record.now += HOUR
    assert record.send(expired()).verdict == EFFECTIVE
    late = record.send(Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL)))
    assert late.verdict == ineffective(IneffectiveReason.BASIS_EXPIRED)


def test_the_exchange_waits_for_the_expiry_and_not_for_steps_after_it() -> None:
    """The timer of the expiry ends the request for both sides, and no timer is left for an answer that is not due."""
    record = unanswered(lasting=30 * MINUTE)
    [expiry] = timers(record.case())
    referral = record.referral()
    assert (expiry.name, expiry.due_at) == (EXPIRY, referral.basis_expires_at)
    event = event_at(record.known(), expiry.holder, expiry.name, expiry.since, 0)
    assert event is not None
    assert encode(event) == encode(event_at(record.known(), expiry.holder, expiry.name, expiry.since, 0) or event)
    record.now = expiry.due_at
    ended = record.append(event)
    assert (ended.verdict, ended.recipients) == (EFFECTIVE, frozenset({POLICE, SHELTER}))
    assert (record.referral().state, list(timers(record.case()))) == (State.REVOKED, [])


def test_an_expiry_that_is_recorded_too_early_is_tried_again() -> None:
    """Record time decides, as for a missed deadline: the timer is armed again, and its next event has another id."""
    record = unanswered(lasting=30 * MINUTE)
    [expiry] = timers(record.case())
    early, again = (event_at(record.known(), expiry.holder, expiry.name, expiry.since, attempt) for attempt in (0, 1))
    assert early is not None
    assert again is not None
    assert early.id != again.id
    assert record.append(early).verdict == ineffective(IneffectiveReason.TOO_EARLY)
    assert list(timers_of(record.case(), early.data)) == [expiry]


def test_an_accepted_request_has_no_timer_for_its_expiry() -> None:
    """After the acceptance the service continues; only its disclosure ends with the release."""
    record = unanswered(lasting=30 * MINUTE)
    record.send(Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL)))
    assert EXPIRY not in {timer.name for timer in timers(record.case())}


# Working days


def asked_at(moment: datetime, working_days: int) -> Record:
    """A request for a benefit at ``moment``, to be decided in so many working days."""
    rule = d.Deadline(
        step=DeadlineStep.BENEFIT_DECIDED,
        amount=working_days,
        unit=DeadlineUnit.WORKING_DAYS,
        service=CaseService.BENEFIT_CONTINUITY,
        source=DeadlineSource.ASSUMED,
    )
    record = given(Sent(COORDINATION, d.DeadlinesPublished(deadlines=(rule,)))).record
    record.now = moment.astimezone(UTC) - 3 * SECOND
    benefit = spec.release(ReleasePurpose.BENEFIT_CONTINUITY, basis=nth_id(2), to=CSW, lasting=400 * DAY)
    request = spec.request(
        benefit,
        target=CSW,
        service=CaseService.BENEFIT_CONTINUITY,
        referral=nth_id(3),
        urgency=Urgency.NORMAL,
    )
    record.send(spec.opened(), Sent(POLICE, benefit), Sent(POLICE, request))
    return record


@pytest.mark.parametrize(
    ("asked", "working_days", "due"),
    [
        ("2026-01-16 14:30", 1, "2026-01-19 14:30"),
        ("2026-03-27 11:00", 5, "2026-04-03 11:00"),
        ("2026-10-22 09:15", 3, "2026-10-27 09:15"),
    ],
    ids=["weekend", "clocks go forward", "clocks go back"],
)
def test_working_days_end_at_the_same_local_time(asked: str, working_days: int, due: str) -> None:
    """Weekends do not count, and a day is not always 24 hours."""
    record = asked_at(datetime.fromisoformat(asked).replace(tzinfo=PRIZREN), working_days)
    _, step = record.step(DeadlineStep.BENEFIT_DECIDED)
    assert f"{step.due_at.astimezone(PRIZREN):%Y-%m-%d %H:%M}" == due
