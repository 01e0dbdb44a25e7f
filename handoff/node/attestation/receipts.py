"""Receipts: signed statements that a checkpoint covers an own event. A receipt ends the event's outbox row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.backoff import Backoff
from handoff.node.attestation.quorum import QuorumTracker
from handoff.node.commands.results import StoreUnavailable
from handoff.node.ports import Clock
from handoff.proof.log.checkpoint import NotSignedByLog
from handoff.proof.log.entry import record_hash
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.receipt import open_receipt
from handoff.record.envelope import Identity
from handoff.record.message import Message

log = structlog.get_logger(__name__)

MAX_EVENTS = 500
"""Maximum number of events in one request to the audit API."""
FIRST_PAUSE_SECONDS = 0.5


_UNSOUND: Mapping[type[Exception], str] = {
    MalformedNote: "malformed",
    NotSignedByLog: "not_signed_by_log",
    InvalidSignature: "invalid_signature",
}
"""Codes by which a receipt that does not verify is logged."""


@dataclass(frozen=True, slots=True)
class UnreceiptedEvent:
    """A recorded own event without a receipt, with the message of its echo."""

    position: int
    identity: Identity
    message: Message


class ReceiptStore(Protocol):
    """Port to the node's database. Every method may raise ``StoreUnavailable`` and is safe to retry."""

    async def without_receipt(self, after: int, limit: int) -> Sequence[UnreceiptedEvent]:
        """Return effective and ineffective own events without a receipt, in the order of their positions.

        Refused and invalid events get no receipt.
        """

    async def store_receipts(self, receipts: Mapping[UUID, bytes]) -> None:
        """Store receipts and delete their outbox rows atomically. The events' bytes remain in the inbox."""

    async def missed(self, before: datetime, at: datetime) -> Sequence[UUID]:
        """Return events without a receipt whose echo came before ``before``. Each event is returned only once."""


class ReceiptSource(Protocol):
    """Port to the audit API, which gives receipts."""

    async def receipts(self, events: Iterable[Identity]) -> Mapping[Identity, bytes]:
        """Return the available receipts for these own events.

        Raises ``AuditUnavailable``.
        """


class AuditUnavailable(Exception):
    """The audit API is unavailable or its answer is malformed: retry later."""


@dataclass
class ReceiptCollector:
    """Task that requests receipts whenever the proven checkpoint grows, and every ``cadence_seconds``."""

    store: ReceiptStore
    audit: ReceiptSource
    quorum: QuorumTracker
    clock: Clock
    cadence_seconds: float
    patience_seconds: float
    """Time after its echo until a missing receipt raises an alarm."""
    _reported: set[UUID] = field(default_factory=set, init=False)

    async def run(self) -> None:
        """Run until cancelled. Retry while the audit or the database is unavailable."""
        backoff = Backoff(first=FIRST_PAUSE_SECONDS, longest=self.cadence_seconds)
        while True:
            changed = self.quorum.proved.subscribe()
            try:
                await self.round()
                idle = self.cadence_seconds
                backoff.reset()
            except (AuditUnavailable, StoreUnavailable) as error:
                idle = backoff.pause()
                log.warning("receipts.retry_scheduled", error=type(error).__name__, why=str(error), seconds=idle)
            await changed.wait(idle)

    async def round(self) -> int:
        """Request every missing receipt, and raise an alarm for overdue ones. Return the number of ended rows.

        Raises ``AuditUnavailable`` and ``StoreUnavailable``.
        """
        try:
            return await self._collect() if self.quorum.proven.size else 0
        finally:
            await self._report_missing()

    async def _collect(self) -> int:
        ended, after = 0, 0
        while page := await self.store.without_receipt(after, MAX_EVENTS):
            after = page[-1].position
            given = await self.audit.receipts(row.identity for row in page)
            sound = dict(self._sound(page, given))
            await self.store.store_receipts(sound)
            ended += len(sound)
        if ended:
            telemetry.RECEIPTS_STORED.inc(ended)
            log.info("receipts.stored", events=ended, size=self.quorum.proven.size)
        return ended

    def _sound(self, page: Iterable[UnreceiptedEvent], given: Mapping[Identity, bytes]) -> Iterator[tuple[UUID, bytes]]:
        """Yield the valid receipts: they match the event and are covered by the proven checkpoint."""
        for row in page:
            raw = given.get(row.identity)
            if raw is None:
                continue
            try:
                receipt = open_receipt(raw, self.quorum.log)
            except (MalformedNote, NotSignedByLog, InvalidSignature) as error:
                self._report_invalid(row.identity.event_id, _UNSOUND[type(error)])
                continue
            message = row.message
            if receipt.record_hash != record_hash(message.key, message.value, message.headers):
                self._report_invalid(row.identity.event_id, "other_bytes")
            elif receipt.size <= self.quorum.proven.size:
                yield row.identity.event_id, raw

    def _report_invalid(self, event: UUID, why: str) -> None:
        """Log an invalid receipt once a process: it is requested repeatedly."""
        if event not in self._reported:
            self._reported.add(event)
            telemetry.RECEIPT_ALARMS.labels("unsound").inc()
            log.critical("receipt.invalid", event_id=str(event), why=why)

    async def _report_missing(self) -> None:
        now = self.clock()
        for event in await self.store.missed(now - timedelta(seconds=self.patience_seconds), now):
            telemetry.RECEIPT_ALARMS.labels("missing").inc()
            log.error("receipt.missing", event_id=str(event), proven=self.quorum.proven.size)
