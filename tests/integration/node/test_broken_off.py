"""Whoever is broken off amid a question to the node's database leaves nothing held there."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from handoff import clock
from tests.support.parts.node_parts import Parts

_UNLOCKED = "SET lock_timeout = '1s'; BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE; COMMIT"


@pytest.mark.parametrize("answer", range(1, 5))
async def test_who_is_broken_off_between_two_answers_of_the_database_leaves_no_lock(police: Parts, answer: int) -> None:
    """A relay that is told to stop when a statement is parsed, and not yet executed, keeps nobody from the outbox."""
    epoch = await police.store.begin_relay()
    # A connection that has never seen the statement parses it before it executes it.
    await police.pool.expire_connections()
    await police.ask("SELECT")
    await _broken_off(asyncio.create_task(police.store.due(epoch, clock.now(), 10)), answer)
    await police.ask_as_owner(_UNLOCKED)


async def _broken_off(task: "asyncio.Task[Any]", answer: int) -> None:
    """Cancels ``task`` when that answer is there and it has not gone on yet."""
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
