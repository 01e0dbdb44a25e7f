"""What the exchange routes on the real broker: to whom, in which sequence, and what follows from it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handoff.record.envelope import COORDINATION
from tests.support.stack import Jurisdictions
from tests.support.town import Town, said, town


@pytest.fixture(scope="module")
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("routing")) as founded:
        founded.exchange().start()
        await founded.found()
        yield founded


async def test_everyone_is_told_the_directory_from_the_founding_on(place: Town) -> None:
    """A member's inbox begins with the whole directory, whenever it was admitted."""
    inboxes = [
        said(await place.inbox(m, lambda told: len(told) >= 9))[:9] for m in ("police", "legal_aid", COORDINATION)
    ]
    assert inboxes[0] == inboxes[1] == inboxes[2]
    assert inboxes[0][0].type == "jurisdiction.founded.v1"
