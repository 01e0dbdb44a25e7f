"""Election of the leader among the processes that serve one member, on a real database and a clock of the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from handoff.adapters.postgres.leadership_store import PostgresLeadership
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.leadership import Leadership, LeadershipLost, ProgressTimeout
from tests.support.parts.manual_clock import ManualClock
from tests.support.parts.node_parts import Parts, node_parts
from tests.support.parts.stack import Jurisdictions

TIMEOUT_SECONDS = 5.0
HEARTBEAT_SECONDS = 1.0
POLL_SECONDS = 0.25

Candidate = Callable[[str], Leadership]


@pytest.fixture(scope="module")
async def police(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    async with node_parts(jurisdictions, tmp_path_factory.mktemp("leadership"), ("police",)) as (police,):
        yield police


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def candidate(police: Parts, clock: ManualClock) -> Candidate:
    return partial(_candidate, police, clock)


def _candidate(police: Parts, clock: ManualClock, instance: str) -> Leadership:
    return Leadership(
        PostgresLeadership(police.pool),
        instance,
        ProgressTimeout(TIMEOUT_SECONDS, clock.monotonic),
        TRANSIENT,
        HEARTBEAT_SECONDS,
        POLL_SECONDS,
        clock.monotonic,
        clock.sleep,
    )


@pytest.fixture
async def first(police: Parts, candidate: Candidate) -> Leadership:
    """A process that leads."""
    await police.query("clear_heartbeat")
    leadership = candidate("first")
    await leadership.acquire()
    return leadership


@pytest.fixture
def second(candidate: Candidate) -> Leadership:
    return candidate("second")


@asynccontextmanager
async def acquiring(leadership: Leadership) -> AsyncIterator["asyncio.Task[int]"]:
    task = asyncio.create_task(leadership.acquire())
    try:
        yield task
    finally:
        task.cancel()


@asynccontextmanager
async def keeping(leadership: Leadership) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(leadership.keep())
    try:
        yield task
    finally:
        task.cancel()


async def test_the_standby_waits_while_the_active_process_sends_heartbeats(
    clock: ManualClock, first: Leadership, second: Leadership
) -> None:
    async with keeping(first) as kept, acquiring(second) as acquired:
        for _ in range(10):
            await clock.advance(HEARTBEAT_SECONDS, kept, acquired)
        assert second.standby
        assert second.epoch is None
        assert first.epoch is not None


async def test_the_second_takes_over_without_heartbeats_and_the_first_is_fenced(
    clock: ManualClock, first: Leadership, second: Leadership
) -> None:
    async with acquiring(second) as acquired:
        await clock.advance(TIMEOUT_SECONDS - POLL_SECONDS, acquired)
        assert not acquired.done()
        await clock.advance(POLL_SECONDS, acquired)
        assert acquired.done()
    assert first.epoch is not None
    assert second.epoch == first.epoch + 1
    with pytest.raises(LeadershipLost):
        await first.keep()


async def test_a_leader_whose_heartbeat_is_old_after_an_outage_keeps_its_epoch(
    clock: ManualClock, police: Parts, first: Leadership, second: Leadership
) -> None:
    """The standby counts from its first observation: during an outage no leader could send a heartbeat."""
    await police.query("set_heartbeat_an_hour_ago")
    async with acquiring(second) as acquired:
        await clock.advance(TIMEOUT_SECONDS / 2, acquired)
        async with keeping(first) as kept:
            for _ in range(10):
                await clock.advance(HEARTBEAT_SECONDS, kept, acquired)
            assert second.epoch is None
            assert not kept.done()


async def test_an_outage_that_the_standby_sees_gives_the_leader_its_whole_time_again(
    clock: ManualClock, first: Leadership, second: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable() -> None:
        raise OSError("no database")

    async with acquiring(second) as acquired:
        await clock.advance(TIMEOUT_SECONDS - POLL_SECONDS, acquired)
        with monkeypatch.context() as outage:
            outage.setattr(second.store, "leader", unavailable)
            await clock.advance(TIMEOUT_SECONDS, acquired)
            assert not second.standby
        await clock.advance(POLL_SECONDS, acquired)
        await clock.advance(TIMEOUT_SECONDS - POLL_SECONDS, acquired)
        assert second.standby
        await clock.advance(POLL_SECONDS, acquired)
        assert acquired.done()


async def test_a_release_lets_the_second_take_over_at_its_next_poll(
    clock: ManualClock, first: Leadership, second: Leadership
) -> None:
    async with keeping(first) as kept, acquiring(second) as acquired:
        await clock.advance(HEARTBEAT_SECONDS, kept, acquired)
        kept.cancel()
        await asyncio.wait([kept])
        await clock.advance(POLL_SECONDS, acquired)
        assert acquired.done()
    assert second.epoch is not None


async def test_a_restarted_leader_resumes_without_waiting(first: Leadership, candidate: Candidate) -> None:
    again = candidate(first.instance)
    await asyncio.wait_for(again.acquire(), 10)
    assert first.epoch is not None
    assert again.epoch == first.epoch + 1


async def test_two_processes_of_one_name_do_not_alternate_in_taking_the_epoch(
    clock: ManualClock, first: Leadership, candidate: Candidate
) -> None:
    again = candidate(first.instance)
    await again.acquire()
    async with keeping(again) as kept, acquiring(first) as acquired:
        for _ in range(10):
            await clock.advance(HEARTBEAT_SECONDS, kept, acquired)
        assert first.standby
        assert not acquired.done()
