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
_START_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """What faults are done to, and the load that goes on meanwhile."""

    crew: Crew
    stack: TrialStack
    load: Load


Inject = Callable[[Place, int], Awaitable[str]]
"""Does the harm and heals it; ``turn`` chooses whom it meets. Gives whom it met."""


async def kill_node(place: Place, turn: int) -> str:
    return await _crash(place, _node(place, turn))


async def kill_exchange(place: Place, _turn: int) -> str:
    return await _crash(place, await place.crew.active("exchange"))


async def kill_projection(place: Place, _turn: int) -> str:
    return await _crash(place, await place.crew.active("projection"))


async def _crash(place: Place, name: str) -> str:
    place.crew.kill(name)
    await asyncio.sleep(_CRASH_SECONDS)
    place.crew.start()
    return name


async def kill_postgres(place: Place, _turn: int) -> str:
    await asyncio.to_thread(place.stack.postgres.kill)
    await asyncio.sleep(_CRASH_SECONDS)
    await _start_again(place.stack.start_postgres)
    return "PostgreSQL"


async def kill_kafka(place: Place, _turn: int) -> str:
    await asyncio.to_thread(place.stack.kafka.kill)
    await asyncio.sleep(_CRASH_SECONDS)
    await _start_again(place.stack.start_kafka)
    return "the broker"


async def refuse_database(place: Place, _turn: int) -> str:
    """PostgreSQL shuts down in good order and refuses connections for a while."""
    await asyncio.to_thread(place.stack.postgres.stop)
    await asyncio.sleep(_OUTAGE_SECONDS)
    await _start_again(place.stack.start_postgres)
    return "PostgreSQL"


async def broker_away(place: Place, _turn: int) -> str:
    """The broker is away for a while, in which commands go on being answered with success."""
    await asyncio.to_thread(place.stack.kafka.stop)
    before = place.load.answered
    await asyncio.sleep(2 * _OUTAGE_SECONDS)
    answered = place.load.answered - before
    await _start_again(place.stack.start_kafka)
    if not answered:
        raise AssertionError("with the broker away no command was answered")
    return f"the broker ({answered} commands answered meanwhile)"


async def freeze_node(place: Place, turn: int) -> str:
    return await _freeze(place, _node(place, turn), _FREEZE_NODE_SECONDS)


async def freeze_exchange(place: Place, _turn: int) -> str:
    return await _freeze(place, await place.crew.active("exchange"), _FREEZE_SECONDS["exchange"])


async def freeze_projection(place: Place, _turn: int) -> str:
    return await _freeze(place, await place.crew.active("projection"), _FREEZE_SECONDS["projection"])


async def _freeze(place: Place, name: str, seconds: float) -> str:
    place.crew.freeze(name)
    await asyncio.sleep(seconds)
    place.crew.thaw(name)
    return name


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
