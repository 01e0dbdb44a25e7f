"""Relays: routed entries go to the inboxes, and the exchange's own events to the record.

Each relay has its own task and producer, so that a broken recipient stops no other. Relays live for one epoch. A
suspended process that resumes may send again; the inbox's dense sequence and the record's ids make that harmless.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.adapters.kafka.client import BrokerUnavailable, Sender
from handoff.adapters.postgres.exchange_store import ExchangeStore, OwnEvent
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.backoff import Backoff
from handoff.domain.directory import Directory
from handoff.domain.own_keys import OwnKeys
from handoff.exchange.cpu_work import run_off_loop
from handoff.proof.log.delivery_chain import sign_batch
from handoff.record import message, signing
from handoff.record.delivery import PROOF_HEADER, Delivery, to_ms
from handoff.record.message import Message
from handoff.record.record_time import stamped
from handoff.wakeup import Wakeup

BATCH = 500
# About 10 MiB for a member whose broker partition is slow.
_IN_MEMORY = 10_000
# An acknowledged event that is not read back within this time is sent again: the record may be truncated.
RESEND_SECONDS = 30.0

# Elapsed time triggers no wake-up, so poll.
POLL_SECONDS = 5.0

_RETRY: tuple[type[Exception], ...] = (BrokerUnavailable, *TRANSIENT)
_log = structlog.get_logger()


class SendingTask:
    """Task that sends when woken, and retries without limit."""

    def __init__(self, name: str, send_some: Callable[[], Awaitable[bool]], sender: Sender) -> None:
        self._name = name
        self._send_some = send_some
        self._sender = sender
        self._wakeup = Wakeup()

    def wake(self) -> None:
        """Signal that there may be something to send."""
        self._wakeup.notify()

    async def run(self) -> None:
        """Run until cancelled. Raises ``LeadershipLost``."""
        backoff = Backoff()
        try:
            while True:
                woken = self._wakeup.subscribe()
                try:
                    has_more = await self._send_some()
                except _RETRY as error:
                    _log.warning("relay.send_retried", relay=self._name, error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(backoff.pause())
                    continue
                backoff.reset()
                if not has_more:
                    await woken.wait(POLL_SECONDS)
        finally:
            await self._sender.close()


QueuedEntry = tuple[int, Message, bytes]
"""Sequence, message and chain hash of an inbox entry."""


class InboxRelay:
    """Sender of one member's queued inbox entries, in sequence, with one signature for each batch.

    It sends what the router has just stored from memory, if nothing is missing between that and the last entry sent. If
    something is, after a start or an error, it reads the queue from the table.
    """

    def __init__(
        self,
        store: ExchangeStore,
        sender: Sender,
        epoch: int,
        member: str,
        topic: str,
        *,
        keys: OwnKeys,
        directory: Callable[[], Directory],
    ) -> None:
        self._store = store
        self._sender = sender
        self._epoch = epoch
        self._member = member
        self._topic = topic
        self._keys = keys
        self._directory = directory
        self._stored: deque[QueuedEntry] = deque(maxlen=_IN_MEMORY)
        self._next_sequence: int | None = None

    def hand_over(self, entries: Iterable[QueuedEntry]) -> None:
        """Take entries that were stored in the queue. The oldest are forgotten if they are too many."""
        self._stored.extend(entries)

    async def send_some(self) -> bool:
        """Send the next entries and delete them. Return whether there may be more. Raises ``LeadershipLost``."""
        queued = self._from_memory() or await self._store.queued_deliveries(self._member, BATCH)
        if queued:
            # Until these are sent and deleted: after an error, the table has the truth.
            self._next_sequence = None
            proofs = await run_off_loop(len(queued), lambda: list(self._proofs(queued)))
            await self._sender.send(
                self._topic, [_proven(entry, proof) for (_, entry, _), proof in zip(queued, proofs, strict=True)]
            )
            await self._store.delete_sent(self._epoch, self._member, queued[-1][0])
            telemetry.DELIVERED.inc(len(queued))
            self._next_sequence = queued[-1][0] + 1
        return len(queued) == BATCH or bool(self._stored)

    def _from_memory(self) -> Sequence[QueuedEntry]:
        """Return the next entries to send, up to a gap; none if the table has to be read."""
        stored, wanted = self._stored, self._next_sequence
        while stored and (wanted is None or stored[0][0] < wanted):
            stored.popleft()
        found: list[QueuedEntry] = []
        while wanted is not None and stored and stored[0][0] == wanted + len(found) and len(found) < BATCH:
            found.append(stored.popleft())
        return found

    def _proofs(self, queued: Iterable[QueuedEntry]) -> Iterator[bytes]:
        """Yield the proof of each entry. During a rotation a batch may have entries for either key."""
        directory = self._directory()

        def key_for(row: QueuedEntry) -> signing.SigningKey:
            return self._keys.signing_before(directory, Delivery.from_message(row[1]).record_time)

        batches = groupby(queued, key_for) if self._keys.next is not None else [(self._keys.current, queued)]
        for key, rows in batches:
            yield from sign_batch([chain for _, _, chain in rows], key)


def _proven(entry: Message, proof: bytes) -> Message:
    return Message(entry.key, entry.value, (*entry.headers, (PROOF_HEADER, proof)))


class OwnEventPublisher:
    """Sender of the exchange's own events, which repeats each until it is read back from the record."""

    def __init__(
        self,
        store: ExchangeStore,
        sender: Sender,
        key: Callable[[], signing.SigningKey],
        record: str,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._sender = sender
        self._key = key
        self._record = record
        self._clock = clock
        self._sent: dict[UUID, float] = {}

    async def send_some(self) -> bool:
        """Send events without an acknowledgement, or with one too old. Return whether there may be more."""
        unconfirmed = await self._store.unconfirmed_own_events(BATCH)
        now = time.monotonic()
        self._sent = {own.event_id: at for own in unconfirmed if (at := self._sent.get(own.event_id)) is not None}
        due = [own for own in unconfirmed if now - self._sent.get(own.event_id, now - RESEND_SECONDS) >= RESEND_SECONDS]
        if due:
            key, stamp = self._key(), to_ms(self._clock())
            await self._sender.send(self._record, [_signed(own, key, stamp) for own in due])
            self._sent |= dict.fromkeys((own.event_id for own in due), now)
        return len(due) == BATCH


def _signed(own: OwnEvent, key: signing.SigningKey, stamp: int) -> Message:
    signed = message.sign(own.subject, own.value, key)
    return replace(signed, headers=stamped(signed.headers, stamp))
