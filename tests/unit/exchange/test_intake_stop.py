"""A stop of the exchange lets the step that is under way end, so that its offsets are committed."""

import asyncio

import pytest

from handoff.exchange.intake import completed


async def test_a_cancelled_step_ends_before_the_cancellation() -> None:
    """The sent submissions are counted, and the caller is still cancelled."""
    acknowledged, counted = asyncio.Event(), list[str]()

    async def step() -> None:
        await acknowledged.wait()
        counted.append("sent")

    caller = asyncio.create_task(completed(step()))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    acknowledged.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert counted == ["sent"]


async def test_a_failure_of_the_step_is_the_callers() -> None:
    async def step() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await completed(step())
