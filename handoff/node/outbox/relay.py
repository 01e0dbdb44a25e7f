"""Relay: publishes the outbox to the broker in order, until each event's echo is back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.backoff import Backoff
from handoff.node.commands.results import StoreUnavailable
from handoff.node.ports import Clock, Publisher, PublishingFailed, Store
from handoff.node.rows import DueEvent
from handoff.record import message
from handoff.record.envelope import Source
from handoff.record.events.directory import JurisdictionFounded
from handoff.record.signing import SigningKey
from handoff.wakeup import Wakeup

log = structlog.get_logger(__name__)

BATCH = 200
# These changes trigger no wake-up, so poll: an operator resumes the relay, another process writes to the outbox,
# an echo reveals a lost event.
IDLE_SECONDS = 0.5
# Well above any failover pause observed: resending must not amplify an outage.
RESEND_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 5.0


@dataclass
class OutboxRelay:
    """Publisher of the outbox for one epoch. It selects by state, not by cursor: serials commit out of order."""

    store: Store
    publisher: Publisher
    me: Source
    key: SigningKey
    stored: Wakeup
    clock: Clock
    resend_seconds: float = RESEND_SECONDS
    admitted: bool = field(default=False, init=False)
    """True if the own key was in force at the last check."""
    _epoch: int = field(default=0, init=False)
    _unmarked: Sequence[UUID] = field(default=(), init=False)
    """Acknowledged events not yet marked as sent. Marked first; else a full disk would resend them."""

    async def run(self) -> None:
        """Run until cancelled. Raises ``LeadershipLost`` when another relay has taken over."""
        backoff = Backoff(first=0.1, longest=LONGEST_PAUSE_SECONDS)
        try:
            while True:
                changed = self.stored.subscribe()
                try:
                    idle = await self._round()
                    backoff.reset()
                except (StoreUnavailable, PublishingFailed) as error:
                    idle = backoff.pause()
                    log.warning("relay.retry_scheduled", error=type(error).__name__, seconds=idle)
                    await asyncio.sleep(idle)
                    continue
                if idle:
                    await changed.wait(idle)
        finally:
            await self.publisher.close()

    async def _round(self) -> float:
        """Send the due events. Return the seconds until the next poll."""
        if not self._epoch:
            self._epoch = await self.store.start_relay_epoch()
        await self._mark()
        due = await self.store.due(self._epoch, self.clock(), BATCH)
        if due or not self.admitted:
            self.admitted = await self._has_key_in_force()
        if not self.admitted:
            # The founding event registers its own key.
            due = [row for row in due if row.type == JurisdictionFounded.type]
        if due:
            await self._send(due)
        return 0.0 if len(due) == BATCH else IDLE_SECONDS

    async def _has_key_in_force(self) -> bool:
        directory = await self.store.directory()
        key = directory.signing_key(self.key.id, self.clock()) if directory is not None else None
        return key is not None and key.owner == self.me.member

    async def _send(self, due: Sequence[DueEvent]) -> None:
        await self.publisher.send([message.sign(row.subject, row.value, self.key) for row in due])
        self._unmarked = [row.id for row in due]
        telemetry.SENT.inc(len(due))
        for row in due:
            log.info("relay.event_published", event_id=str(row.id), type=row.type)
        await self._mark()

    async def _mark(self) -> None:
        if self._unmarked:
            await self.store.mark_sent(self._epoch, self._unmarked, self.clock(), self.resend_seconds)
            self._unmarked = ()
