"""A task that is cancelled during a query leaves no lock in the node's database."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from handoff import clock
from tests.support.parts.node_parts import Parts


@pytest.mark.parametrize("answer", range(1, 5))
async def test_a_query_cancelled_between_two_messages_of_the_server_leaves_no_lock(police: Parts, answer: int) -> None:
    """A relay that is cancelled after a statement is parsed and before it is executed does not lock the outbox."""
    epoch = await police.store.start_relay_epoch()
    # A connection that has never seen the statement parses it before it executes it.
    await police.pool.expire_connections()
    await police.query("node_nothing")
    await _cancel_at(asyncio.create_task(police.store.due(epoch, clock.now(), 10)), answer)
    await police.execute_as_owner("lock_outbox")


async def _cancel_at(task: "asyncio.Task[Any]", answer: int) -> None:
    """Cancel ``task`` when that message of the server has arrived and the task has not processed it yet."""
    seen: set[int] = set()
    while not task.done():
        awaited = task._fut_waiter  # type: ignore[attr-defined]  # there is no public way to see it
        if awaited is not None and awaited.done():
            seen.add(id(awaited))
            if len(seen) == answer:
                task.cancel()
        await asyncio.sleep(0)
    with suppress(asyncio.CancelledError):
        await task
