"""Faults of PostgreSQL and of the brokers."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence

import asyncpg

from handoff.record.topics import record_topic
from handoff.trial.child_process import ChildProcess
from handoff.trial.errors import TrialError
from tests.faults.context import FaultContext, Impact

_CRASH_SECONDS = 0.5
_OUTAGE_SECONDS = 4.0
_LONG_OUTAGE_SECONDS = 120.0
# Longer than the producer's timeout (10 s) and the broker session timeout of the controller (4 s).
_FREEZE_SECONDS = 15.0
_START_TIMEOUT_SECONDS = 240.0
_REFUSAL_TIMEOUT_SECONDS = 60.0
_NEXT_WAL_FILE = "SELECT pg_logical_emit_message(false, 'log', 'used up'), pg_switch_wal()"


async def kill_postgres(context: FaultContext, _round: int) -> Impact:
    stack = context.trial.stack
    return await _outage("PostgreSQL", stack.postgres.kill, stack.start_postgres, _CRASH_SECONDS)


async def stop_postgres(context: FaultContext, _round: int) -> Impact:
    """Shut PostgreSQL down cleanly, so that it refuses connections for a few seconds."""
    stack = context.trial.stack
    return await _outage("PostgreSQL", stack.postgres.stop, stack.start_postgres, _OUTAGE_SECONDS)


async def fill_disk(context: FaultContext, _round: int) -> Impact:
    """Fill the database's disk until commands are refused with 503, and a few seconds longer."""
    return await _fill(context, "disk of the database")


async def fill_disk_and_wal(context: FaultContext, _round: int) -> Impact:
    """Fill the disk and also use up the WAL files that PostgreSQL preallocates, so that it stops."""
    operator = await asyncpg.connect(context.trial.stack.postgres_dsn())
    return await _fill(context, "disk of the database, WAL included", operator)


async def _fill(
    context: FaultContext, name: str, operator: "asyncpg.Connection[asyncpg.Record] | None" = None
) -> Impact:
    began = time.monotonic()
    before = context.load.refused
    context.disk.fill()
    try:
        if operator is not None:
            await _use_up_wal(operator)
        await _until_refused(context, before)
        await asyncio.sleep(_OUTAGE_SECONDS)
    finally:
        context.disk.free()
    # PostgreSQL stops when the WAL has no space, and a service manager restarts it.
    await _restart(context.trial.stack.start_postgres)
    return Impact(f"{name}, {context.load.refused - before} requests refused", time.monotonic() - began)


async def _use_up_wal(operator: "asyncpg.Connection[asyncpg.Record]") -> None:
    deadline = time.monotonic() + _REFUSAL_TIMEOUT_SECONDS
    try:
        while time.monotonic() < deadline:
            await operator.execute(_NEXT_WAL_FILE)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return
    finally:
        operator.terminate()
    raise AssertionError("PostgreSQL still writes WAL although the disk is full")


async def _until_refused(context: FaultContext, before: int) -> None:
    deadline = time.monotonic() + _REFUSAL_TIMEOUT_SECONDS
    while context.load.refused == before:
        if time.monotonic() > deadline:
            raise AssertionError("no command was refused although the disk is full")
        await asyncio.sleep(_CRASH_SECONDS)


async def kill_kafka(context: FaultContext, _round: int) -> Impact:
    stack = context.trial.stack
    return await _outage(_brokers_text(context), stack.kafka.kill, stack.start_kafka, _CRASH_SECONDS)


async def stop_broker(context: FaultContext, round_number: int) -> Impact:
    """Stop the only broker for eight seconds, in a long run once for two minutes. Commands are still answered."""
    stack, before = context.trial.stack, context.load.answered
    seconds = _LONG_OUTAGE_SECONDS if context.is_long and round_number == 0 else 2 * _OUTAGE_SECONDS
    impact = await _outage(_brokers_text(context), stack.kafka.kill, stack.start_kafka, seconds)
    answered = context.load.answered - before
    if not answered:
        raise AssertionError("no command was answered while the broker was down")
    return Impact(f"{impact.target}, {answered} events answered while it was down", impact.down_seconds)


async def kill_leader(context: FaultContext, _round: int) -> Impact:
    """Stop the leader of the record until another broker is elected."""
    leader = await _leader(context)
    return await _outage(leader.name, leader.kill, context.trial.stack.start_kafka, 2 * _OUTAGE_SECONDS)


async def freeze_leader(context: FaultContext, _round: int) -> Impact:
    """Freeze the leader of the record. Another broker is elected before the first one resumes."""
    return await _freeze((await _leader(context),), _FREEZE_SECONDS)


async def freeze_majority(context: FaultContext, _round: int) -> Impact:
    """Freeze two of three brokers for longer than the producer's timeout: nothing can be appended."""
    leader = await _leader(context)
    other = next(broker for broker in context.trial.stack.kafka.brokers if broker is not leader)
    return await _freeze((leader, other), _FREEZE_SECONDS)


async def _leader(context: FaultContext) -> ChildProcess:
    return await asyncio.to_thread(context.trial.stack.kafka.leader, record_topic(context.trial.jurisdiction.name))


async def _freeze(brokers: Sequence[ChildProcess], seconds: float) -> Impact:
    _signal(brokers, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        _signal(brokers, signal.SIGCONT)
    return Impact(" and ".join(broker.name for broker in brokers), seconds)


def _signal(brokers: Sequence[ChildProcess], number: signal.Signals) -> None:
    for pid in filter(None, (broker.pid for broker in brokers)):
        os.kill(pid, number)


def _brokers_text(context: FaultContext) -> str:
    return "the broker" if len(context.trial.stack.kafka.brokers) == 1 else "all brokers"


async def _outage(name: str, end: Callable[[], object], start: Callable[[], object], seconds: float) -> Impact:
    began = time.monotonic()
    await asyncio.to_thread(end)
    await asyncio.sleep(seconds)
    await _restart(start)
    return Impact(name, time.monotonic() - began)


async def _restart(start: Callable[[], object]) -> None:
    """Start a part, and retry: after a SIGKILL its ports and locks may be released late."""
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while True:
        try:
            await asyncio.to_thread(start)
        except TrialError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_CRASH_SECONDS)
        else:
            return
