"""Commands are grouped into batches, and an error concerns only the command that caused it."""

import asyncio
from collections.abc import Sequence

import pytest

from handoff.node.commands.batching import AT_ONCE, CommandBatcher
from handoff.node.commands.results import StoreUnavailable


class Court:
    """Answers with what it was asked, unless that is an error; counts its sittings."""

    def __init__(self, raised: type[Exception] | None = None) -> None:
        self.raised = raised
        self.sittings: list[Sequence[object]] = []

    async def sit(self, asked: Sequence[object]) -> Sequence[object]:
        self.sittings.append(asked)
        await asyncio.sleep(0.01)
        if self.raised is not None and "culprit" in asked:
            raise self.raised
        return asked


async def ask_all(court: Court, asked: Sequence[object]) -> list[object]:
    sittings: CommandBatcher[object, object] = CommandBatcher(court.sit)
    return await asyncio.gather(*map(sittings.ask, asked), return_exceptions=True)


async def test_whoever_comes_meanwhile_is_answered_together_and_with_their_own_answer() -> None:
    court = Court()
    assert await ask_all(court, range(50)) == list(range(50))
    assert len(court.sittings) <= AT_ONCE


async def test_an_error_that_one_gets_is_not_the_others() -> None:
    refused = LookupError("no")
    assert await ask_all(Court(), [1, refused, 3]) == [1, refused, 3]


async def test_an_error_that_undoes_all_is_only_theirs_whose_it_is() -> None:
    court = Court(raised=ValueError)
    first, error, last = await ask_all(court, ["first", "culprit", "last"])
    assert (first, type(error), last) == ("first", ValueError, "last")
    assert court.sittings == [["first", "culprit", "last"], ["first"], ["culprit"], ["last"]]


async def test_what_may_be_stored_is_not_stored_a_second_time() -> None:
    """After a database went away in the middle only the callers may repeat, under their keys."""
    court = Court(raised=StoreUnavailable)
    assert [type(found) for found in await ask_all(court, ["first", "culprit"])] == [StoreUnavailable] * 2
    assert len(court.sittings) == 1


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    sittings: CommandBatcher[object, object] = CommandBatcher(Court().sit)
    impatient, patient = asyncio.ensure_future(sittings.ask(1)), asyncio.ensure_future(sittings.ask(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 2
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_whoever_asks_at_the_moment_a_sitting_ends_is_not_forgotten() -> None:
    """Many who ask again as soon as they are answered, whatever order their answers come in."""

    async def sit(asked: Sequence[int]) -> Sequence[int]:
        for _ in range(asked[0] % 3):
            await asyncio.sleep(0)
        return asked

    sittings: CommandBatcher[int, int] = CommandBatcher(sit)

    async def ask_on_and_on(first: int) -> None:
        for number in range(first, first + 200):
            assert await sittings.ask(number) == number

    async with asyncio.timeout(5):
        await asyncio.gather(*map(ask_on_and_on, range(AT_ONCE)))
