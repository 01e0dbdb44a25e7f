"""Relay: publishes the outbox to the broker in order, until each event's echo is back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.backoff import Backoff
from handoff.domain.directory import Directory
from handoff.domain.own_keys import KeyStatus, OwnKeys
from handoff.node.commands.results import StoreUnavailable
from handoff.node.ports import Clock, Publisher, PublishingFailed, Store
from handoff.node.record_clock import RecordClock
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
    keys: OwnKeys
    stored: Wakeup
    clock: Clock
    resend_seconds: float = RESEND_SECONDS
    key_status: KeyStatus = field(default=KeyStatus.UNREGISTERED, init=False)
    """Status of the own keys at the last check."""
    is_paused: bool = field(default=False, init=False)
    """State of the pause by an operator, at the last check."""
    _key: SigningKey | None = field(default=None, init=False)
    """The key in force at the last check."""
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
                if self.is_paused:
                    # Polls: an operator resumes it, and no stored event does.
                    await asyncio.sleep(IDLE_SECONDS)
                elif idle:
                    await changed.wait(idle)
        finally:
            await self.publisher.close()

    async def _round(self) -> float:
        """Send the due events. Return the seconds until the next poll."""
        if not self._epoch:
            self._epoch = await self.store.start_relay_epoch()
        await self._mark()
        found = await self.store.due(self._epoch, self.clock(), BATCH)
        self.is_paused = found.is_paused
        await self._choose_key(found.directory, found.clock)
        due, key = found.events, self._key
        if key is None:
            # The founding event registers its own key.
            due, key = tuple(row for row in due if row.type == JurisdictionFounded.type), self.keys.current
        if due:
            await self._send(due, key)
        return 0.0 if len(due) == BATCH else IDLE_SECONDS

    async def _choose_key(self, directory: Directory | None, clock: RecordClock) -> None:
        """Choose the key to sign with. With another key, send again what was refused under an earlier one."""
        now = self.clock()
        at = clock.judging_time(now)
        before, self._key = self._key, self.keys.signing(directory, at) if directory is not None else None
        self.key_status = self.keys.status(directory, at) if directory is not None else KeyStatus.UNREGISTERED
        if self._key is not None and self._key != before:
            log.info("relay.key_chosen", key=self._key.id)
            await self.store.resend_key_refused(now)

    async def _send(self, due: Sequence[DueEvent], key: SigningKey) -> None:
        await self.publisher.send([message.sign(row.subject, row.value, key) for row in due])
        self._unmarked = [row.id for row in due]
        telemetry.SENT.inc(len(due))
        for row in due:
            log.info("relay.event_published", event_id=str(row.id), type=row.type)
        await self._mark()

    async def _mark(self) -> None:
        if self._unmarked:
            await self.store.mark_sent(self._epoch, self._unmarked, self.clock(), self.resend_seconds)
            self._unmarked = ()
