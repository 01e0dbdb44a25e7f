"""With an exchange killed, or two exchanges running, no event is lost or out of order."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from handoff.config import PlannedMember
from handoff.domain.founding import admission_events
from handoff.record import codec
from handoff.record.codec import AnyEvent
from handoff.record.codes import CaseService
from handoff.record.events.directory import Admission
from handoff.trial.child_process import ChildProcess
from tests.support.dsl.builders import T0, key_of
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import PATIENCE_SECONDS, Town, contains, town
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.faults

MATTERS = 40


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("faults")) as unfounded:
        yield unfounded


async def stream(place: Town, first: int) -> list[AnyEvent]:
    """Publish the events of many cases, a few at a time. Return all acknowledged events."""
    inbox: list[AnyEvent] = []
    for number in range(first, first + MATTERS):
        matter = Matter(place, number)
        await place.publish(*matter.begun())
        await place.publish(matter.delivered())
        inbox += [*matter.begun(), matter.delivered()]
        await asyncio.sleep(0.01)
    return inbox


async def all_arrived(place: Town, events: list[AnyEvent]) -> None:
    encoded = {codec.encode(event) for event in events}
    # The standby reads the events again that the frozen exchange had consumed; compare the inboxes after that.
    await place.record(lambda found: encoded <= {entry.message.value for entry in found})
    await place.check_inboxes()


async def routed_beyond(place: Town, offset: int) -> None:
    """Waits until the record is routed beyond ``offset``."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await place.query("exchange_next_offset"))[0]["next_offset"] <= offset:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def stop(child: ChildProcess) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)


def resume(child: ChildProcess) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGCONT)


async def test_an_exchange_killed_in_mid_stream_loses_nothing(place: Town) -> None:
    """The exchange is killed twice under load: all events are on the record, every inbox is complete and in order."""
    exchange = place.exchange()
    exchange.start()
    await place.found()
    saying = asyncio.ensure_future(stream(place, 1))
    for offset in (20, 60):
        await routed_beyond(place, offset)
        exchange.kill()
        exchange.start()
    await all_arrived(place, await saying)


async def test_a_standby_takes_over_and_the_one_that_was_stopped_changes_nothing(place: Town) -> None:
    """The standby takes over from a frozen exchange; when that one resumes, it steps down and nothing is doubled."""
    first, second = place.exchange("first"), place.exchange("second")
    first.start()
    await place.found()
    second.start()
    before = await stream(place, 1)
    await routed_beyond(place, 40)
    stop(first)
    [frozen] = await place.query("exchange_epoch")
    during = await stream(place, 1000)
    await place.inbox("shelter", lambda inbox: contains(inbox, during[-2]))
    resume(first)
    after = await stream(place, 2000)
    await all_arrived(place, [*before, *during, *after])
    [now] = await place.query("exchange_epoch")
    assert now["epoch"] > frozen["epoch"]
    assert "router.leadership_lost" in first.log.read_text()
    assert (first.terminate(timeout=5), second.terminate(timeout=5)) == (0, 0)


async def test_an_unreachable_recipient_stops_no_other(place: Town) -> None:
    """A member without an inbox topic does not block the others; once the topic exists, it receives everything."""
    place.exchange().start()
    await place.found()
    late = PlannedMember(id="late", offers=(CaseService.HOUSING,))
    terms = ((Admission(member=late.id, services=late.offers), key_of(late.id)),)
    admission = tuple(admission_events(place.charter, terms, T0))
    await place.publish(*admission, *Matter(place, 1).begun())
    await place.inbox("shelter", lambda inbox: contains(inbox, Matter(place, 1).asked()))
    place.plan_members(late)
    await place.jurisdiction.apply_broker()
    await place.inbox(late.id, lambda inbox: contains(inbox, admission[-1]))
    await place.check_inboxes()


async def test_a_member_founded_while_the_exchange_is_down_is_processed(place: Town) -> None:
    """An exchange that is back within its session, with the topics it had, still comes to hear the newcomer."""
    exchange = place.exchange()
    exchange.start()
    await place.found()
    exchange.kill()
    newcomer = PlannedMember(id="housing_office", offers=(CaseService.HOUSING,))
    place.plan_members(newcomer)
    await place.jurisdiction.apply_broker()
    exchange.start()
    await place.admit(newcomer)
    matter = Matter(place, 7)
    opened = matter.begun()[0].model_copy(update={"source": f"/{place.name}/1/{newcomer.id}"})
    await place.publish(opened)
    await place.inbox(newcomer.id, lambda inbox: contains(inbox, opened))
    await place.check_inboxes()
