"""What is done to a running jurisdiction, one fault at a time; each is healed before the next."""

import asyncio
import time
from collections.abc import Mapping

from handoff.record.topics import MONITOR
from tests.faults import outages
from tests.faults.crew import DOUBLED_NODE
from tests.faults.place import Inject, Met, Place

_CRASH_SECONDS = 0.5
_FREEZE_SECONDS = 3.0
# For how long a standby works before the one that it stands in for wakes up.
_BESIDE_SECONDS = 1.0


async def kill_node(place: Place, turn: int) -> Met:
    return await _crash(place, _node(place, turn))


async def kill_exchange(place: Place, _turn: int) -> Met:
    return await _crash(place, await place.crew.active("exchange"))


async def kill_projection(place: Place, _turn: int) -> Met:
    return await _crash(place, await place.crew.active("projection"))


async def kill_monitor(place: Place, _turn: int) -> Met:
    return await _crash(place, MONITOR)


async def _crash(place: Place, name: str) -> Met:
    began = time.monotonic()
    place.crew.kill(name)
    await asyncio.sleep(_CRASH_SECONDS)
    place.crew.start()
    return Met(name, time.monotonic() - began)


async def freeze_node(place: Place, turn: int) -> Met:
    name = _node(place, turn)
    place.crew.freeze(name)
    await asyncio.sleep(_FREEZE_SECONDS)
    place.crew.thaw(name)
    return Met(name, _FREEZE_SECONDS)


async def freeze_exchange(place: Place, _turn: int) -> Met:
    return await _freeze_active(place, "exchange")


async def freeze_projection(place: Place, _turn: int) -> Met:
    return await _freeze_active(place, "projection")


async def freeze_doubled_node(place: Place, _turn: int) -> Met:
    return await _freeze_active(place, DOUBLED_NODE)


async def _freeze_active(place: Place, name: str) -> Met:
    """Until its standby does its work, and for a while more."""
    active, began = await place.crew.active(name), time.monotonic()
    (standby,) = (twin for twin in place.crew.twins(name) if twin.id != active)
    place.crew.freeze(active)
    try:
        await place.crew.works(name, standby)
        taken_over = time.monotonic() - began
        await asyncio.sleep(_BESIDE_SECONDS)
    finally:
        place.crew.thaw(active)
    return Met(active, taken_over)


def _node(place: Place, turn: int) -> str:
    return place.crew.nodes[turn % len(place.crew.nodes)]


_ALWAYS: Mapping[str, Inject] = {
    "SIGKILL of a node": kill_node,
    "SIGKILL of the exchange that routes": kill_exchange,
    "SIGSTOP of a node": freeze_node,
    "SIGKILL of the projection that writes": kill_projection,
    "SIGKILL of the monitor": kill_monitor,
    "SIGSTOP of the exchange that routes": freeze_exchange,
    "SIGKILL of PostgreSQL": outages.kill_postgres,
    "SIGSTOP of the projection that writes": freeze_projection,
    "SIGSTOP of a node that has a standby": freeze_doubled_node,
    "connections to PostgreSQL refused": outages.refuse_database,
    "the database's disk full": outages.fill_disk,
    "the database's disk full, with its log": outages.fill_disk_with_log,
}
_OF_ONE: Mapping[str, Inject] = {
    "SIGKILL of the broker": outages.kill_kafka,
    "the broker away": outages.broker_away,
}
_OF_THREE: Mapping[str, Inject] = {
    "SIGKILL of the broker that leads the record": outages.kill_leader,
    "SIGSTOP of the broker that leads the record": outages.freeze_leader,
    "SIGSTOP of two of three brokers": outages.leave_leaderless,
    "SIGKILL of all brokers": outages.kill_kafka,
}


def kinds(brokers: int, only: str = "") -> Mapping[str, Inject]:
    """Every kind of fault that there is on one broker or on three, whose name has ``only`` in it."""
    known = {**_ALWAYS, **(_OF_ONE if brokers == 1 else _OF_THREE)}
    return {name: inject for name, inject in known.items() if only in name}
