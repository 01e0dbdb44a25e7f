"""Wait until the record has judged the founding event and the admissions, which `handoff init` only enqueues."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.config import PostgresSettings
from handoff.node.commands.results import StoreUnavailable
from handoff.operations.errors import OperationError
from handoff.record.delivery import Verdict, VerdictKind
from handoff.record.envelope import COORDINATION, EXCHANGE, Event

WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.2
# A repetition of an event that counted before, as after the loss of the coordinator's database.
_IN_FORCE = frozenset({VerdictKind.EFFECTIVE, VerdictKind.DUPLICATE})


class AdmissionFailed(OperationError):
    """An admission that is not in force. The message names the member and the reason."""


async def wait_until_admitted(
    coordinator: PostgresSettings,
    events: Sequence[Event[Any]],
    seconds: float = WAIT_SECONDS,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until each of the coordinator's founding events is effective. ``coordinator`` is its node's database.

    Raises AdmissionFailed for an event that the record judged otherwise, and for one without a verdict after
    ``seconds``.
    """
    deadline = now() + seconds
    while True:
        verdicts = await _verdicts(coordinator, [event.id for event in events])
        if failed := [_failure(event, verdicts[event.id]) for event in events if _has_failed(verdicts.get(event.id))]:
            raise AdmissionFailed("; ".join(failed))
        waiting = [event for event in events if event.id not in verdicts]
        if not waiting:
            return
        if now() >= deadline:
            raise AdmissionFailed(
                f"no verdict after {seconds:.0f} s on: {_named(waiting)}. They are stored and will be sent. Check with "
                f"`handoff doctor` that the processes {COORDINATION} and {EXCHANGE} run, then run `handoff init` again"
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _verdicts(coordinator: PostgresSettings, events: Sequence[UUID]) -> dict[UUID, Verdict]:
    try:
        async with open_pool(coordinator, max_size=1) as pool:
            return dict(await PostgresStore(pool).outcomes(events))
    except (StoreUnavailable, OSError, asyncpg.PostgresError) as error:
        raise AdmissionFailed(f"the verdicts on the admissions cannot be read: {error}") from error


def _has_failed(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.kind not in _IN_FORCE


def _failure(event: Event[Any], verdict: Verdict) -> str:
    return f"{_name(event)} is {verdict.kind.value}: {verdict.reason or 'no reason given'}"


def _named(events: Iterable[Event[Any]]) -> str:
    return ", ".join(map(_name, events))


def _name(event: Event[Any]) -> str:
    member = getattr(event.data, "member", None)
    return event.type if member is None else f"{event.type} of {member}"
