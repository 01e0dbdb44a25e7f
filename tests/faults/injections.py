"""Faults of processes, and the table of all kinds. Each fault is repaired before the next."""

import asyncio
import time
from collections.abc import Mapping

from handoff.record.topics import MONITOR
from tests.faults import outages
from tests.faults.context import FaultContext, Impact, Injector
from tests.faults.processes import NODE_WITH_STANDBY

_CRASH_SECONDS = 0.5
_FREEZE_SECONDS = 3.0
# Time for which the standby is active before the frozen process resumes.
_OVERLAP_SECONDS = 1.0


async def kill_node(context: FaultContext, round_number: int) -> Impact:
    return await _crash(context, _node_of_round(context, round_number))


async def kill_exchange(context: FaultContext, _round: int) -> Impact:
    return await _crash(context, await context.processes.active("exchange"))


async def kill_projection(context: FaultContext, _round: int) -> Impact:
    return await _crash(context, await context.processes.active("projection"))


async def kill_monitor(context: FaultContext, _round: int) -> Impact:
    return await _crash(context, MONITOR)


async def _crash(context: FaultContext, name: str) -> Impact:
    began = time.monotonic()
    context.processes.kill(name)
    await asyncio.sleep(_CRASH_SECONDS)
    context.processes.start()
    return Impact(name, time.monotonic() - began)


async def freeze_node(context: FaultContext, round_number: int) -> Impact:
    name = _node_of_round(context, round_number)
    context.processes.freeze(name)
    await asyncio.sleep(_FREEZE_SECONDS)
    context.processes.resume(name)
    return Impact(name, _FREEZE_SECONDS)


async def freeze_exchange(context: FaultContext, _round: int) -> Impact:
    return await _freeze_active(context, "exchange")


async def freeze_projection(context: FaultContext, _round: int) -> Impact:
    return await _freeze_active(context, "projection")


async def freeze_node_with_standby(context: FaultContext, _round: int) -> Impact:
    return await _freeze_active(context, NODE_WITH_STANDBY)


async def _freeze_active(context: FaultContext, name: str) -> Impact:
    """Freeze the active process until its standby is active, and a second longer."""
    active, began = await context.processes.active(name), time.monotonic()
    (standby,) = (replica for replica in context.processes.replicas(name) if replica.id != active)
    context.processes.freeze(active)
    try:
        await context.processes.until_active(name, standby)
        taken_over = time.monotonic() - began
        await asyncio.sleep(_OVERLAP_SECONDS)
    finally:
        context.processes.resume(active)
    return Impact(active, taken_over)


def _node_of_round(context: FaultContext, round_number: int) -> str:
    return context.processes.nodes[round_number % len(context.processes.nodes)]


_ANY_BROKERS: Mapping[str, Injector] = {
    "SIGKILL of a node": kill_node,
    "SIGKILL of the active exchange": kill_exchange,
    "SIGSTOP of a node": freeze_node,
    "SIGKILL of the active projection": kill_projection,
    "SIGKILL of the monitor": kill_monitor,
    "SIGSTOP of the active exchange": freeze_exchange,
    "SIGKILL of PostgreSQL": outages.kill_postgres,
    "SIGSTOP of the active projection": freeze_projection,
    "SIGSTOP of a node with a standby": freeze_node_with_standby,
    "connections to PostgreSQL refused": outages.stop_postgres,
    "the database's disk full": outages.fill_disk,
    "the database's disk full, with its log": outages.fill_disk_and_wal,
}
_ONE_BROKER: Mapping[str, Injector] = {
    "SIGKILL of the broker": outages.kill_kafka,
    "the broker away": outages.stop_broker,
}
_THREE_BROKERS: Mapping[str, Injector] = {
    "SIGKILL of the broker that leads the record": outages.kill_leader,
    "SIGSTOP of the broker that leads the record": outages.freeze_leader,
    "SIGSTOP of two of three brokers": outages.freeze_majority,
    "SIGKILL of all brokers": outages.kill_kafka,
}


def fault_kinds(brokers: int, only: str = "") -> Mapping[str, Injector]:
    """Return the kinds of fault for one or three brokers whose name contains ``only``."""
    known = {**_ANY_BROKERS, **(_ONE_BROKER if brokers == 1 else _THREE_BROKERS)}
    return {name: inject for name, inject in known.items() if only in name}
