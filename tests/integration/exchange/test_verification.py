"""The exchange while its verification process is killed, on the real broker and database."""

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import Town, contains, events_of, town
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually

EVENTS = 100
TIMES = 2


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("verification")) as unfounded:
        yield unfounded


async def new_child(parent: psutil.Process, known: list[psutil.Process]) -> psutil.Process:
    """Wait for a child process that is not among ``known``."""
    found: list[psutil.Process] = []

    async def is_there() -> bool:
        found.extend(child for child in parent.children() if child not in known)
        return bool(found)

    await eventually(is_there)
    return found[0]


async def test_a_killed_verification_process_changes_nothing_on_the_record(place: Town) -> None:
    """Every event is on the record and in its inbox once, and no process outlives the exchange."""
    exchange = place.exchange()
    exchange.start()
    await place.found()
    parent = psutil.Process(exchange.pid)
    openings = [Matter(place, number).opened() for number in range(EVENTS)]
    killed: list[psutil.Process] = []
    for number in range(TIMES):
        # Each part is a batch that is too large to be verified in place.
        part = openings[number::TIMES]
        await place.publish(*part)
        child = await new_child(parent, killed)
        if number < TIMES - 1:
            killed.append(child)
            child.kill()
        await place.inbox("police", lambda inbox, last=part[-1]: contains(inbox, last))  # type: ignore[misc]
    await place.check_inboxes()
    echoes = [event.id for event in events_of(await place.inbox("police", lambda inbox: contains(inbox, openings[-1])))]
    assert {echoes.count(opening.id) for opening in openings} == {1}
    parent.kill()
    await asyncio.to_thread(child.wait, 30)
