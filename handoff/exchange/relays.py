"""Relays: what was routed goes into the inboxes, and what the exchange says onto the record.

Each has its own task and its own producer, so that one broken recipient stops nobody. They live for one epoch; one
that was stopped and wakes up may send again, which an inbox's dense sequence and the record's ids make harmless.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.adapters.kafka.client import BrokerUnavailable, Sender
from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.adapters.postgres.pool import TRANSIENT, pauses
from handoff.record import message, signing

BATCH = 500
# What was acknowledged and is not heard for so long is said again: the record may have lost its end.
HEARD_SECONDS = 30.0

# Nobody wakes a relay when only time has passed.
LOOK_AGAIN_SECONDS = 5.0

_RETRY: tuple[type[Exception], ...] = (BrokerUnavailable, *TRANSIENT)
_log = structlog.get_logger()


class Relay:
    """One task that sends whenever it is woken, and tries again for ever when it cannot."""

    def __init__(self, name: str, send_some: Callable[[], Awaitable[bool]], sender: Sender) -> None:
        self._name = name
        self._send_some = send_some
        self._sender = sender
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Goes on until it is cancelled. Raises Superseded."""
        wait = pauses()
        try:
            while True:
                self._woken.clear()
                try:
                    has_more = await self._send_some()
                except _RETRY as error:
                    _log.warning("relay tries again", relay=self._name, error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(next(wait))
                else:
                    wait = pauses()
                    if not has_more:
                        await self._rest()
        finally:
            await self._sender.close()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), LOOK_AGAIN_SECONDS)


class Inbox:
    """What goes into one member's inbox, in its own sequence."""

    def __init__(self, store: ExchangeStore, sender: Sender, epoch: int, member: str, topic: str) -> None:
        self._store = store
        self._sender = sender
        self._epoch = epoch
        self._member = member
        self._topic = topic

    async def send_some(self) -> bool:
        """Sends the next entries and drops them; whether there may be more. Raises Superseded."""
        waiting = await self._store.unsent(self._member, BATCH)
        if waiting:
            await self._sender.send(self._topic, [entry for _, entry in waiting])
            await self._store.sent(self._epoch, self._member, waiting[-1][0])
            telemetry.DELIVERED.inc(len(waiting))
        return len(waiting) == BATCH


class Voice:
    """What the exchange itself says, sent until it is heard on the record."""

    def __init__(self, store: ExchangeStore, sender: Sender, key: signing.SigningKey, record: str) -> None:
        self._store = store
        self._sender = sender
        self._key = key
        self._record = record
        self._said: dict[UUID, float] = {}

    async def send_some(self) -> bool:
        """Sends what is not acknowledged, or was so too long ago; whether there may be more."""
        unheard = await self._store.unheard(BATCH)
        now = time.monotonic()
        self._said = {saying.event_id: at for saying in unheard if (at := self._said.get(saying.event_id)) is not None}
        waiting = [s for s in unheard if now - self._said.get(s.event_id, now - HEARD_SECONDS) >= HEARD_SECONDS]
        if waiting:
            await self._sender.send(self._record, [message.sign(s.subject, s.value, self._key) for s in waiting])
            self._said |= dict.fromkeys((s.event_id for s in waiting), now)
        return len(waiting) == BATCH
