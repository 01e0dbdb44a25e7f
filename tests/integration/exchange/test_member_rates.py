"""A member above its rate is held back in its own topic: nothing is lost, and no other member waits."""

from collections.abc import AsyncIterator

import pytest

from handoff.record import codec
from tests.support.dsl.builders import signed
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import Town, contains, town
from tests.support.parts.stack import Jurisdictions

RATE, FLOOD = 100, 600


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("rates")) as founded:
        founded.exchange(member_rate=str(RATE), member_burst=str(RATE)).start()
        await founded.found()
        yield founded


async def test_a_flood_of_one_member_delays_no_other_and_is_not_lost(place: Town) -> None:
    """An event that the shelter sends after the flood is on the record before the end of the flood, which follows."""
    flood = [Matter(place, number).opened() for number in range(FLOOD)]
    await place.submit("police", *(signed(event) for event in flood))
    await place.inbox("police", lambda inbox: contains(inbox, flood[0]))
    other = Matter(place, FLOOD + 1).opened().model_copy(update={"source": f"/{place.name}/1/shelter"})
    await place.publish(other)
    await place.inbox("shelter", lambda inbox: contains(inbox, other))
    await place.inbox("police", lambda inbox: contains(inbox, flood[-1]))
    recorded = [entry.message.value for entry in await place.check_inboxes()]
    places = [recorded.index(codec.encode(event)) for event in (*flood, other)]
    assert places[-1] < places[-2]
    assert sorted(places[:-1]) == places[:-1]
