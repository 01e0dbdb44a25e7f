"""Receipts: the log's signed statements about entries that this member sent or received.

A receipt of an own event ends its outbox row. A receipt of any entry is compared with the exchange's delivery of it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
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
from handoff.proof.log.entry import content_hash
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.receipt import Receipt, open_receipt
from handoff.record.delivery import Verdict
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
    """An effective or ineffective entry of the inbox without a receipt, as the exchange delivered it.

    ``position`` orders the rows that wait. ``identity`` is None if this release cannot decode the event, or if its
    value is redacted.
    """

    position: int
    sequence: int
    identity: Identity | None
    message: Message
    verdict: Verdict
    rules: int


class ReceiptStore(Protocol):
    """Port to the node's database. Every method may raise ``StoreUnavailable`` and is safe to retry."""

    async def own_without_receipt(self, after: int, limit: int) -> Sequence[UnreceiptedEvent]:
        """Return effective and ineffective own events without a receipt, in the order of their positions.

        Refused and invalid events get no receipt.
        """

    async def store_own_receipts(self, receipts: Mapping[int, bytes]) -> None:
        """Store receipts by inbox sequence, and end the outbox rows. The events' bytes remain in the inbox."""

    async def received_without_receipt(self, after: int, limit: int) -> Sequence[UnreceiptedEvent]:
        """Return effective and ineffective events of others without a receipt, in the order of the inbox."""

    async def store_received_receipts(self, receipts: Mapping[int, bytes]) -> None:
        """Store receipts of others' events by inbox sequence."""

    async def store_contradiction(self, sequence: int, why: str, receipt: bytes, at: datetime) -> None:
        """Store a receipt that contradicts the inbox entry of ``sequence``. Idempotent."""

    async def contradictions(self) -> int:
        """Return the number of stored contradictions."""

    async def missed(self, before: datetime, at: datetime) -> Sequence[UUID]:
        """Return events without a receipt whose echo came before ``before``. Each event is returned only once."""

    async def missed_received(self, before: datetime, at: datetime) -> Sequence[int]:
        """Return the sequences of entries of others, received before ``before``, without a receipt. Each only once."""


class ReceiptSource(Protocol):
    """Port to the audit API, which gives receipts."""

    async def receipts(self, events: Iterable[Identity]) -> Mapping[Identity, bytes]:
        """Return the available receipts for these events, which this member sent or received.

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
    """Time after its delivery until a missing receipt raises an alarm."""
    fail: Callable[[str], None] = lambda _reason: None
    """Report that log and exchange contradict each other. Called in every round while that is so."""
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
        """Request every missing receipt, and raise an alarm for overdue ones. Return the number of ended outbox rows.

        The log's record hash and verdict for each entry are compared with those that the exchange delivered.

        Raises ``AuditUnavailable`` and ``StoreUnavailable``.
        """
        try:
            if not self.quorum.proven.size:
                return 0
            ended = await self._collect(self.store.own_without_receipt, self.store.store_own_receipts)
            await self._collect(self.store.received_without_receipt, self.store.store_received_receipts)
            if ended:
                telemetry.RECEIPTS_STORED.inc(ended)
                log.info("receipts.stored", events=ended, size=self.quorum.proven.size)
            return ended
        finally:
            await self._report_missing()
            if await self.store.contradictions():
                self.fail("contradiction")

    async def _collect(
        self,
        read: Callable[[int, int], Awaitable[Sequence[UnreceiptedEvent]]],
        store: Callable[[Mapping[int, bytes]], Awaitable[None]],
    ) -> int:
        stored, after = 0, 0
        while page := await read(after, MAX_EVENTS):
            after = page[-1].position
            named = [row for row in page if row.identity is not None]
            given = await self.audit.receipts([row.identity for row in named if row.identity is not None])
            sound = dict([found async for found in self._sound(named, given)])
            await store(sound)
            stored += len(sound)
        return stored

    async def _sound(
        self, page: Iterable[UnreceiptedEvent], given: Mapping[Identity, bytes]
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Yield the receipts that match the delivery and that the proven checkpoint covers."""
        for row in page:
            raw = given.get(row.identity) if row.identity is not None else None
            if raw is None or row.identity is None:
                continue
            try:
                receipt = open_receipt(raw, self.quorum.log)
            except (MalformedNote, NotSignedByLog, InvalidSignature) as error:
                self._report_invalid(row.identity.event_id, _UNSOUND[type(error)])
                continue
            if receipt.event != row.identity:
                self._report_invalid(row.identity.event_id, "other_event")
            elif (why := difference(row, receipt)) is not None:
                await self._report_contradiction(row, why, raw)
            elif receipt.size <= self.quorum.proven.size:
                yield row.sequence, raw

    async def _report_contradiction(self, row: UnreceiptedEvent, why: str, receipt: bytes) -> None:
        """Store the evidence, and log it once a process. The exchange's signature is stored with the inbox entry."""
        await self.store.store_contradiction(row.sequence, why, receipt, self.clock())
        if row.identity is not None and row.identity.event_id not in self._reported:
            self._reported.add(row.identity.event_id)
            telemetry.RECEIPT_ALARMS.labels("contradiction").inc()
            log.critical(
                "receipt.contradicts_delivery", sequence=row.sequence, event_id=str(row.identity.event_id), why=why
            )

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
        for sequence in await self.store.missed_received(now - timedelta(seconds=self.patience_seconds), now):
            telemetry.RECEIPT_ALARMS.labels("missing").inc()
            log.error("receipt.missing_for_delivery", sequence=sequence, proven=self.quorum.proven.size)


def difference(row: UnreceiptedEvent, receipt: Receipt) -> str | None:
    """Return how the log contradicts the exchange about an entry; None if it does not.

    Verdicts under two versions of the rules may differ, because a release may know only one of them.
    """
    if receipt.record_hash != content_hash(row.message):
        return "other_bytes"
    return "other_verdict" if receipt.rules == row.rules and receipt.verdict != row.verdict else None
