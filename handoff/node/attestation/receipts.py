"""Receipts: the log's word that own events lie under a checkpoint. With one, an own event's row in the outbox ends."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.node.attestation.quorum import Vouching
from handoff.node.commands.results import StoreUnavailable
from handoff.node.ports import Clock
from handoff.node.wakeup import wait
from handoff.proof.log.checkpoint import NotSignedByLog
from handoff.proof.log.entry import record_hash
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.receipt import open_receipt
from handoff.record.message import Message

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 500
"""How many events the audit API takes in one question."""
FIRST_PAUSE_SECONDS = 0.5


_UNSOUND: Mapping[type[Exception], str] = {
    MalformedNote: "malformed",
    NotSignedByLog: "not_signed_by_log",
    InvalidSignature: "invalid_signature",
}
"""Codes by which a receipt that does not verify is logged."""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """An own event on the record that has no receipt yet, with the message as its echo brought it."""

    position: int
    id: UUID
    subject: str
    message: Message


class ReceiptStore(Protocol):
    """The node's own database. Every method may raise ``StoreUnavailable``: repeat it, nothing is lost."""

    async def awaiting(self, after: int, limit: int) -> Sequence[Awaiting]:
        """Own events that count on the record and have no receipt, in the order of their positions.

        What was refused or is invalid gets none; it changed nothing.
        """

    async def end(self, receipts: Mapping[UUID, bytes]) -> None:
        """Keeps receipts and lets their outbox rows end, all or nothing: the bytes stay in the inbox alone."""

    async def missed(self, before: datetime, at: datetime) -> Sequence[UUID]:
        """Those of them whose echo came before ``before``: each is given once, ever."""


class Audit(Protocol):
    """Whoever hands out receipts."""

    async def receipts(self, events: Iterable[tuple[str, UUID]]) -> Mapping[tuple[str, UUID], bytes]:
        """The receipts that there are for these own events, each named by subject and id.

        Raises ``AuditUnavailable``.
        """


class AuditUnavailable(Exception):
    """The audit API is away or does not answer as it should: ask again later."""


@dataclass
class Receipts:
    """Asks for receipts whenever more is proven, and every ``cadence_seconds``."""

    store: ReceiptStore
    audit: Audit
    vouching: Vouching
    clock: Clock
    cadence_seconds: float
    patience_seconds: float
    """How long after its echo an event may be without a receipt before that is an alarm."""
    _told: set[UUID] = field(default_factory=set, init=False)

    async def run(self) -> None:
        """Goes on until it is cancelled; an audit or database that is away harms nothing."""
        pauses = self._growing()
        while True:
            ticket = self.vouching.proved.ticket()
            try:
                await self.round()
                idle, pauses = self.cadence_seconds, self._growing()
            except (AuditUnavailable, StoreUnavailable) as error:
                idle = next(pauses)
                log.warning("receipts.wait", error=type(error).__name__, why=str(error), seconds=idle)
            await wait(ticket, idle)

    async def round(self) -> int:
        """Asks for every receipt that is missing, and alarms where one is due; gives how many rows ended.

        Raises ``AuditUnavailable`` and ``StoreUnavailable``.
        """
        try:
            return await self._ask() if self.vouching.proven.size else 0
        finally:
            await self._alarm()

    async def _ask(self) -> int:
        ended, after = 0, 0
        while page := await self.store.awaiting(after, MOST_AT_ONCE):
            after = page[-1].position
            given = await self.audit.receipts((row.subject, row.id) for row in page)
            sound = dict(self._sound(page, given))
            await self.store.end(sound)
            ended += len(sound)
        if ended:
            telemetry.RECEIPTS_KEPT.inc(ended)
            log.info("receipts.kept", events=ended, size=self.vouching.proven.size)
        return ended

    def _sound(self, page: Iterable[Awaiting], given: Mapping[tuple[str, UUID], bytes]) -> Iterator[tuple[UUID, bytes]]:
        """The receipts that say what they should, under a checkpoint for which enough have vouched."""
        for row in page:
            raw = given.get((row.subject, row.id))
            if raw is None:
                continue
            try:
                receipt = open_receipt(raw, self.vouching.log)
            except (MalformedNote, NotSignedByLog, InvalidSignature) as error:
                self._object(row.id, _UNSOUND[type(error)])
                continue
            message = row.message
            if receipt.record_hash != record_hash(message.key, message.value, message.headers):
                self._object(row.id, "other_bytes")
            elif receipt.size <= self.vouching.proven.size:
                yield row.id, raw

    def _object(self, event: UUID, why: str) -> None:
        """A receipt that is none is told once in a process's life: it is asked for again and again."""
        if event not in self._told:
            self._told.add(event)
            telemetry.RECEIPT_ALARMS.labels("unsound").inc()
            log.critical("receipt.unsound", event_id=str(event), why=why)

    async def _alarm(self) -> None:
        now = self.clock()
        for event in await self.store.missed(now - timedelta(seconds=self.patience_seconds), now):
            telemetry.RECEIPT_ALARMS.labels("missing").inc()
            log.error("receipt.missing", event_id=str(event), proven=self.vouching.proven.size)

    def _growing(self) -> Iterator[float]:
        pause = FIRST_PAUSE_SECONDS
        while True:
            yield pause
            pause = min(pause * 2, self.cadence_seconds)
