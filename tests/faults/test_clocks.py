"""Clocks of a running exchange: holds and expiring releases against the deadlines of its timers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from handoff import clock
from handoff.record.codec import AnyEvent
from handoff.record.codes import BasisEndReason, DeadlineSource, DeadlineStep, HoldCode, Urgency
from handoff.record.delivery import Delivery
from handoff.record.envelope import COORDINATION
from handoff.record.events.deadline import DeadlineEscalated, DeadlineMissed
from handoff.record.events.directory import Deadline
from handoff.record.events.referral import ReferralPaused, ReferralRequested, ReferralResumed, ReferralRevoked
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import Town, contains, events_of, town
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.faults


def _within(seconds: int, step: DeadlineStep, urgency: Urgency) -> Deadline:
    return Deadline(step=step, amount=seconds, urgencies=(urgency,), source=DeadlineSource.ASSUMED)


ARRIVAL_SECONDS, ANSWER_SECONDS, RELEASE_SECONDS = 4, 6, 3
DEADLINES = (
    _within(ARRIVAL_SECONDS, DeadlineStep.ARRIVAL, Urgency.NORMAL),
    _within(1, DeadlineStep.ANSWERED, Urgency.LOW),
    _within(ANSWER_SECONDS, DeadlineStep.ANSWERED, Urgency.HIGH),
)


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[Town]:
    """A small jurisdiction in which steps are due within seconds."""
    async with town(jurisdictions, tmp_path, deadlines=DEADLINES) as founded:
        founded.exchange().start()
        await founded.found()
        yield founded


def about(deliveries: list[Delivery], matter: Matter, body: type) -> list[AnyEvent]:
    """The events of that type in the case."""
    return [
        event for event in events_of(deliveries) if isinstance(event.data, body) and event.subject == str(matter.case)
    ]


async def reached(place: Town, *events: AnyEvent) -> None:
    """Publish events, and return once the last one is in the inbox of the police."""
    await place.publish(*events)
    await place.inbox("police", lambda deliveries: contains(deliveries, events[-1]))


async def test_a_hold_longer_than_the_deadline_makes_nothing_late(place: Town) -> None:
    """Another step that is due a second after the resumption is reported late; the resumed one is not."""
    held, timed = Matter(place, 1), Matter(place, 2)
    paused = held.by("shelter", ReferralPaused(referral=held.referral, code=HoldCode.WAITING_INTAKE))
    resumed = held.by("shelter", ReferralResumed(referral=held.referral))
    await reached(place, *held.begun(Urgency.NORMAL), *timed.begun(Urgency.LOW))
    await reached(place, held.delivered(), held.accepted(), paused)
    await asyncio.sleep(ARRIVAL_SECONDS)
    await reached(place, resumed, timed.delivered())
    deliveries = await place.inbox("police", lambda deliveries: bool(about(deliveries, timed, DeadlineMissed)))
    assert about(deliveries, held, DeadlineMissed) == []


async def test_a_request_ends_with_its_release_and_both_sides_are_notified(place: Town) -> None:
    """The exchange ends it by record time, and no missed answer is recorded or escalated."""
    matter = Matter(place, 3)
    expires_at = clock.now() + timedelta(seconds=RELEASE_SECONDS)
    await reached(place, *expiring(matter, expires_at))
    await reached(place, matter.delivered())
    ended = (ReferralRevoked, DeadlineMissed)
    for side in ("police", "shelter"):
        deliveries = await place.inbox(side, lambda deliveries: any(about(deliveries, matter, body) for body in ended))
        reasons = [getattr(event.data, "reason", None) for event in about(deliveries, matter, ReferralRevoked)]
        assert reasons == [BasisEndReason.BASIS_EXPIRED], side
    assert not [e for e in events_of(await place.inbox(COORDINATION, bool)) if isinstance(e.data, DeadlineEscalated)]


def expiring(matter: Matter, at: datetime) -> tuple[AnyEvent, ...]:
    """The opening, a release that expires at that time, and an urgent request."""
    opened, *resting = matter.begun(Urgency.HIGH)
    release, request = (event.data for event in resting)
    assert isinstance(request, ReferralRequested)
    snapshot = request.basis.model_copy(update={"expires_at": at})
    bodies = release.model_copy(update={"expires_at": at}), request.model_copy(update={"basis": snapshot})
    return opened, *(matter.by("police", body) for body in bodies)
