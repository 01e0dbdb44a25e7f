"""What is done to the parts that everything runs on: the database, and the broker or brokers."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence

import asyncpg

from handoff.record.topics import record_topic
from handoff.trial.child_process import ChildProcess
from handoff.trial.errors import TrialError
from tests.faults.place import Met, Place

_CRASH_SECONDS = 0.5
_OUTAGE_SECONDS = 4.0
_LONG_OUTAGE_SECONDS = 120.0
# Longer than a producer waits for an acknowledgement (10 s), and a controller for a broker's sign of life (4 s).
_LEADERLESS_SECONDS = 15.0
_START_AGAIN_SECONDS = 240.0
_REFUSED_SECONDS = 60.0
_NEXT_LOG_FILE = "SELECT pg_logical_emit_message(false, 'log', 'used up'), pg_switch_wal()"


async def kill_postgres(place: Place, _turn: int) -> Met:
    stack = place.trial.stack
    return await _outage("PostgreSQL", stack.postgres.kill, stack.start_postgres, _CRASH_SECONDS)


async def refuse_database(place: Place, _turn: int) -> Met:
    """PostgreSQL shuts down in good order and refuses connections for a while."""
    stack = place.trial.stack
    return await _outage("PostgreSQL", stack.postgres.stop, stack.start_postgres, _OUTAGE_SECONDS)


async def fill_disk(place: Place, _turn: int) -> Met:
    """Nothing more fits on the database's disk until commands were refused for it, with 503, for a while."""
    return await _fill(place, "the database's disk")


async def fill_disk_with_log(place: Place, _turn: int) -> Met:
    """PostgreSQL, which keeps space ahead for its log, has used that up too and cannot go on."""
    operator = await asyncpg.connect(place.trial.stack.postgres_dsn())
    return await _fill(place, "the database's disk, with its log", operator)


async def _fill(place: Place, name: str, operator: "asyncpg.Connection[asyncpg.Record] | None" = None) -> Met:
    began = time.monotonic()
    before = place.load.refused
    place.disk.run_full()
    try:
        if operator is not None:
            await _use_up_log(operator)
        await _until_refused(place, before)
        await asyncio.sleep(_OUTAGE_SECONDS)
    finally:
        place.disk.make_room()
    # Without space for its log PostgreSQL ends, and a service manager starts it again.
    await _start_again(place.trial.stack.start_postgres)
    return Met(f"{name}, {place.load.refused - before} requests refused", time.monotonic() - began)


async def _use_up_log(operator: "asyncpg.Connection[asyncpg.Record]") -> None:
    deadline = time.monotonic() + _REFUSED_SECONDS
    try:
        while time.monotonic() < deadline:
            await operator.execute(_NEXT_LOG_FILE)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return
    finally:
        operator.terminate()
    raise AssertionError("the disk is full, and yet PostgreSQL found space for its log")


async def _until_refused(place: Place, before: int) -> None:
    deadline = time.monotonic() + _REFUSED_SECONDS
    while place.load.refused == before:
        if time.monotonic() > deadline:
            raise AssertionError("the disk is full, and yet no command was refused")
        await asyncio.sleep(_CRASH_SECONDS)


async def kill_kafka(place: Place, _turn: int) -> Met:
    stack = place.trial.stack
    return await _outage(_brokers(place), stack.kafka.kill, stack.start_kafka, _CRASH_SECONDS)


async def broker_away(place: Place, turn: int) -> Met:
    """No broker for a while, in which commands go on being answered with success.

    Once in a long run it is two minutes.
    """
    stack, before = place.trial.stack, place.load.answered
    seconds = _LONG_OUTAGE_SECONDS if place.is_long and turn == 0 else 2 * _OUTAGE_SECONDS
    met = await _outage(_brokers(place), stack.kafka.kill, stack.start_kafka, seconds)
    answered = place.load.answered - before
    if not answered:
        raise AssertionError("without a broker no command was answered")
    return Met(f"{met.whom}, {answered} events answered meanwhile", met.gone)


async def kill_leader(place: Place, _turn: int) -> Met:
    """Away for long enough that another one leads."""
    leader = await _leader(place)
    return await _outage(leader.name, leader.kill, place.trial.stack.start_kafka, 2 * _OUTAGE_SECONDS)


async def freeze_leader(place: Place, _turn: int) -> Met:
    """Another broker leads the record meanwhile; the one that wakes up finds that out."""
    return await _freeze((await _leader(place),), _LEADERLESS_SECONDS)


async def leave_leaderless(place: Place, _turn: int) -> Met:
    """With two of three brokers stopped nothing can be appended, for longer than a producer waits."""
    leader = await _leader(place)
    other = next(broker for broker in place.trial.stack.kafka.brokers if broker is not leader)
    return await _freeze((leader, other), _LEADERLESS_SECONDS)


async def _leader(place: Place) -> ChildProcess:
    return await asyncio.to_thread(place.trial.stack.kafka.leader, record_topic(place.trial.jurisdiction.name))


async def _freeze(brokers: Sequence[ChildProcess], seconds: float) -> Met:
    _signal(brokers, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        _signal(brokers, signal.SIGCONT)
    return Met(" and ".join(broker.name for broker in brokers), seconds)


def _signal(brokers: Sequence[ChildProcess], number: signal.Signals) -> None:
    for pid in filter(None, (broker.pid for broker in brokers)):
        os.kill(pid, number)


def _brokers(place: Place) -> str:
    return "the broker" if len(place.trial.stack.kafka.brokers) == 1 else "all brokers"


async def _outage(name: str, end: Callable[[], object], start: Callable[[], object], seconds: float) -> Met:
    began = time.monotonic()
    await asyncio.to_thread(end)
    await asyncio.sleep(seconds)
    await _start_again(start)
    return Met(name, time.monotonic() - began)


async def _start_again(start: Callable[[], object]) -> None:
    """Starts a part until it stays up: after a SIGKILL, what it held may be let go of only later."""
    deadline = time.monotonic() + _START_AGAIN_SECONDS
    while True:
        try:
            await asyncio.to_thread(start)
        except TrialError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_CRASH_SECONDS)
        else:
            return
