"""Commands are grouped into batches, and an error concerns only the command that caused it."""

import asyncio
from collections.abc import Sequence

import pytest

from handoff.node.commands.batching import MAX_BATCHES, CommandBatcher
from handoff.node.commands.results import StoreUnavailable


class BatchHandler:
    """Echo the commands of a batch, or raise an error. Record the batches."""

    def __init__(self, raised: type[Exception] | None = None) -> None:
        self.raised = raised
        self.batches: list[Sequence[object]] = []

    async def handle(self, asked: Sequence[object]) -> Sequence[object]:
        self.batches.append(asked)
        await asyncio.sleep(0.01)
        if self.raised is not None and "culprit" in asked:
            raise self.raised
        return asked


async def ask_all(handler: BatchHandler, asked: Sequence[object]) -> list[object]:
    batches: CommandBatcher[object, object] = CommandBatcher(handler.handle)
    return await asyncio.gather(*map(batches.submit, asked), return_exceptions=True)


async def test_commands_that_arrive_during_a_batch_form_the_next_one_and_get_their_own_answers() -> None:
    handler = BatchHandler()
    assert await ask_all(handler, range(50)) == list(range(50))
    assert len(handler.batches) <= MAX_BATCHES


async def test_a_batch_that_is_held_up_does_not_delay_the_commands_after_it() -> None:
    """As when a batch waits for the lock of a case that the node folds."""
    lock, waits = asyncio.Event(), asyncio.Event()

    async def handle(asked: Sequence[str]) -> Sequence[str]:
        if "locked" in asked:
            waits.set()
            await lock.wait()
        return asked

    batches: CommandBatcher[str, str] = CommandBatcher(handle, held_up_seconds=0)
    locked = asyncio.ensure_future(batches.submit("locked"))
    await waits.wait()
    assert await batches.submit("free") == "free"
    assert await batches.submit("later") == "later"
    lock.set()
    assert await locked == "locked"


async def test_batches_run_one_at_a_time_unless_they_are_held_up() -> None:
    running = 0

    async def handle(asked: Sequence[int]) -> Sequence[int]:
        nonlocal running
        running += 1
        assert running == 1
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1
        return asked

    batches: CommandBatcher[int, int] = CommandBatcher(handle, held_up_seconds=3600)

    async def ask_repeatedly() -> None:
        for number in range(20):
            assert await batches.submit(number) == number
            await asyncio.sleep(0)

    await asyncio.gather(*(ask_repeatedly() for _ in range(5)))


async def test_an_error_of_one_command_does_not_affect_the_others() -> None:
    refused = LookupError("no")
    assert await ask_all(BatchHandler(), [1, refused, 3]) == [1, refused, 3]


async def test_a_failed_batch_is_repeated_command_by_command() -> None:
    handler = BatchHandler(raised=ValueError)
    first, error, last = await ask_all(handler, ["first", "culprit", "last"])
    assert (first, type(error), last) == ("first", ValueError, "last")
    assert handler.batches == [["first", "culprit", "last"], ["first"], ["culprit"], ["last"]]


async def test_a_batch_that_may_be_stored_is_not_repeated() -> None:
    """After a lost connection only the callers may repeat, under their idempotency keys."""
    handler = BatchHandler(raised=StoreUnavailable)
    assert [type(found) for found in await ask_all(handler, ["first", "culprit"])] == [StoreUnavailable] * 2
    assert len(handler.batches) == 1


async def test_a_cancelled_caller_does_not_cancel_the_others() -> None:
    batches: CommandBatcher[object, object] = CommandBatcher(BatchHandler().handle)
    impatient, patient = asyncio.ensure_future(batches.submit(1)), asyncio.ensure_future(batches.submit(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 2
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_command_that_arrives_when_a_batch_ends_is_answered() -> None:
    """Many callers send the next command as soon as they are answered, in any order."""

    async def handle(asked: Sequence[int]) -> Sequence[int]:
        for _ in range(asked[0] % 3):
            await asyncio.sleep(0)
        return asked

    batches: CommandBatcher[int, int] = CommandBatcher(handle)

    async def ask_repeatedly(first: int) -> None:
        for number in range(first, first + 200):
            assert await batches.submit(number) == number

    async with asyncio.timeout(60):
        await asyncio.gather(*map(ask_repeatedly, range(MAX_BATCHES)))
