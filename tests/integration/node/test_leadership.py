"""Whose turn it is among the processes that serve one member, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from handoff.node.leadership import Leadership
from handoff.node.ports import StoodDown
from tests.support.parts.node_parts import Parts, node_parts
from tests.support.parts.stack import Jurisdictions

SILENCE_SECONDS = 2.0


@pytest.fixture(scope="module")
async def police(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    async with node_parts(jurisdictions, tmp_path_factory.mktemp("turn"), ("police",)) as (police,):
        yield police


@pytest.fixture
async def first(police: Parts) -> Leadership:
    """A process whose turn it is."""
    await police.ask("UPDATE turn SET holder = 'first'")
    turn = Leadership(police.store, "first", sign_of_life_seconds=0.2)
    await turn.take()
    return turn


@pytest.fixture
def second(police: Parts) -> Leadership:
    return Leadership(police.store, "second", silence_seconds=SILENCE_SECONDS)


@asynccontextmanager
async def taking(turn: Leadership) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(turn.take())
    try:
        yield task
    finally:
        task.cancel()


async def test_the_second_stands_by_while_the_first_shows_itself(first: Leadership, second: Leadership) -> None:
    keeping = asyncio.create_task(first.keep())
    async with taking(second):
        await asyncio.sleep(2 * SILENCE_SECONDS)
        assert second.stands_by
        assert not second.mine
        keeping.cancel()


async def test_the_second_takes_over_when_the_first_is_silent_and_the_first_is_told(
    first: Leadership, second: Leadership
) -> None:
    await asyncio.wait_for(second.take(), 3 * SILENCE_SECONDS)
    assert second.mine
    with pytest.raises(StoodDown):
        await first.keep()


async def test_one_that_could_not_show_itself_keeps_its_turn(
    police: Parts, first: Leadership, second: Leadership
) -> None:
    """After an outage of the database a sign of life is old, and yet nobody was silent."""
    await police.ask("UPDATE turn SET alive_at = clock_timestamp() - interval '1 hour'")
    async with taking(second):
        await asyncio.sleep(SILENCE_SECONDS / 2)
        keeping = asyncio.create_task(first.keep())
        await asyncio.sleep(2 * SILENCE_SECONDS)
        assert not second.mine
        assert not keeping.done()
        keeping.cancel()


async def test_a_clean_end_lets_the_second_go_on_at_once(first: Leadership, second: Leadership) -> None:
    keeping = asyncio.create_task(first.keep())
    async with taking(second) as taken:
        await asyncio.sleep(SILENCE_SECONDS)
        keeping.cancel()
        await asyncio.wait_for(taken, SILENCE_SECONDS / 2)
    assert second.mine


async def test_one_that_is_started_again_goes_on_at_once(first: Leadership) -> None:
    again = Leadership(first.store, first.holder)
    await asyncio.wait_for(again.take(), 1)
    assert again.mine
