"""Escalations of a running exchange: exactly one, and exactly one repetition, while exchanges are killed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handoff.record.codes import DeadlineSource, DeadlineStep, EscalationEnd, Urgency
from handoff.record.delivery import Delivery
from handoff.record.envelope import COORDINATION
from handoff.record.events.base import Body
from handoff.record.events.deadline import DeadlineEscalated, DeadlineMissed, EscalationEnded
from handoff.record.events.directory import Deadline
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import Town, contains, events_of, town
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.faults

DEADLINES = (
    Deadline(step=DeadlineStep.DELIVERED, amount=1, urgencies=(Urgency.NORMAL,), source=DeadlineSource.ASSUMED),
    Deadline(step=DeadlineStep.ACKNOWLEDGED, amount=3, source=DeadlineSource.ASSUMED),
)


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[Town]:
    """A small jurisdiction in which an escalation has to be acknowledged within seconds."""
    async with town(jurisdictions, tmp_path, deadlines=DEADLINES) as founded:
        yield founded


def bodies(deliveries: list[Delivery], body: type[Body]) -> list[Body]:
    """The effective events of that type."""
    effective = [delivery for delivery in deliveries if delivery.verdict.is_effective]
    return [event.data for event in events_of(effective) if isinstance(event.data, body)]


async def test_an_escalation_is_repeated_exactly_once_while_exchanges_are_killed(place: Town) -> None:
    """Two exchanges run; the leading one is killed after the first escalation, and both after the second."""
    first, second = place.exchange("first"), place.exchange("second")
    first.start()
    await place.found()
    second.start()
    matter = Matter(place, 1)
    await place.publish(*matter.begun(Urgency.NORMAL))
    await place.inbox(COORDINATION, lambda seen: len(bodies(seen, DeadlineEscalated)) == 1)
    first.kill()
    await place.inbox(COORDINATION, lambda seen: len(bodies(seen, DeadlineEscalated)) > 1)
    second.kill()
    first.start()
    second.start()
    delivered = matter.delivered()
    await place.publish(delivered)
    await place.inbox("police", lambda seen: contains(seen, delivered))
    seen = await place.inbox(COORDINATION, lambda seen: len(bodies(seen, EscalationEnded)) > 1)
    escalated, repeated = (body for body in bodies(seen, DeadlineEscalated) if isinstance(body, DeadlineEscalated))
    assert (escalated.member, repeated.member, repeated.repeats) == ("shelter", COORDINATION, escalated.reference)
    assert [getattr(body, "reason", None) for body in bodies(seen, EscalationEnded)] == [EscalationEnd.STEP_DONE] * 2
    missed = bodies(await place.inbox("police", bool), DeadlineMissed)
    assert [getattr(body, "step", None) for body in missed] == [DeadlineStep.DELIVERED, DeadlineStep.ACKNOWLEDGED]
