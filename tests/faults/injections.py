"""What is done to a running jurisdiction, one fault at a time; each is healed before the next."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from handoff.trial.errors import TrialError
from handoff.trial.stack import TrialStack
from tests.faults.crew import Crew
from tests.faults.load import Load

_CRASH_SECONDS = 0.5
# Longer than a standby waits: 2.5 seconds for an exchange, 5 for a projection.
_FREEZE_SECONDS = {"exchange": 4.0, "projection": 7.0}
_FREEZE_NODE_SECONDS = 3.0
_OUTAGE_SECONDS = 4.0
_LONG_OUTAGE_SECONDS = 120.0
_START_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """What faults are done to, and the load that goes on meanwhile."""

    crew: Crew
    stack: TrialStack
    load: Load
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Met:
    """Whom a fault met, and for how many seconds that was gone: until it ran again, not until it was ready."""

    whom: str
    gone: float


Inject = Callable[[Place, int], Awaitable[Met]]
"""Does the harm and heals it; ``turn`` chooses whom it meets."""


async def kill_node(place: Place, turn: int) -> Met:
    return await _crash(place, _node(place, turn))


async def kill_exchange(place: Place, _turn: int) -> Met:
    return await _crash(place, await place.crew.active("exchange"))


async def kill_projection(place: Place, _turn: int) -> Met:
    return await _crash(place, await place.crew.active("projection"))


async def _crash(place: Place, name: str) -> Met:
    began = time.monotonic()
    place.crew.kill(name)
    await asyncio.sleep(_CRASH_SECONDS)
    place.crew.start()
    return Met(name, time.monotonic() - began)


async def kill_postgres(place: Place, _turn: int) -> Met:
    return await _outage("PostgreSQL", place.stack.postgres.kill, place.stack.start_postgres, _CRASH_SECONDS)


async def kill_kafka(place: Place, _turn: int) -> Met:
    return await _outage("the broker", place.stack.kafka.kill, place.stack.start_kafka, _CRASH_SECONDS)


async def refuse_database(place: Place, _turn: int) -> Met:
    """PostgreSQL shuts down in good order and refuses connections for a while."""
    return await _outage("PostgreSQL", place.stack.postgres.stop, place.stack.start_postgres, _OUTAGE_SECONDS)


async def broker_away(place: Place, turn: int) -> Met:
    """The broker is away for a while, in which commands go on being answered with success.

    Once in a long run it is away for two minutes.
    """
    before = place.load.answered
    seconds = _LONG_OUTAGE_SECONDS if place.is_long and turn == 0 else 2 * _OUTAGE_SECONDS
    met = await _outage("the broker", place.stack.kafka.kill, place.stack.start_kafka, seconds)
    answered = place.load.answered - before
    if not answered:
        raise AssertionError("with the broker away no command was answered")
    return Met(f"the broker, {answered} events answered meanwhile", met.gone)


async def _outage(name: str, end: Callable[[], object], start: Callable[[], object], seconds: float) -> Met:
    began = time.monotonic()
    await asyncio.to_thread(end)
    await asyncio.sleep(seconds)
    await _start_again(start)
    return Met(name, time.monotonic() - began)


async def freeze_node(place: Place, turn: int) -> Met:
    return await _freeze(place, _node(place, turn), _FREEZE_NODE_SECONDS)


async def freeze_exchange(place: Place, _turn: int) -> Met:
    return await _freeze(place, await place.crew.active("exchange"), _FREEZE_SECONDS["exchange"])


async def freeze_projection(place: Place, _turn: int) -> Met:
    return await _freeze(place, await place.crew.active("projection"), _FREEZE_SECONDS["projection"])


async def _freeze(place: Place, name: str, seconds: float) -> Met:
    place.crew.freeze(name)
    await asyncio.sleep(seconds)
    place.crew.thaw(name)
    return Met(name, seconds)


def _node(place: Place, turn: int) -> str:
    return place.crew.nodes[turn % len(place.crew.nodes)]


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


FAULTS: dict[str, Inject] = {
    "SIGKILL of a node": kill_node,
    "SIGKILL of the exchange that routes": kill_exchange,
    "SIGSTOP of a node": freeze_node,
    "SIGKILL of the projection that writes": kill_projection,
    "SIGSTOP of the exchange that routes": freeze_exchange,
    "SIGKILL of PostgreSQL": kill_postgres,
    "SIGSTOP of the projection that writes": freeze_projection,
    "SIGKILL of the broker": kill_kafka,
    "connections to PostgreSQL refused": refuse_database,
    "the broker away": broker_away,
}
