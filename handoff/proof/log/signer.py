"""Signing of checkpoints and receipts with the private key of a record's log."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from handoff.proof.log.checkpoint import Checkpoint, Origin, TreeHead, log_key, sign_checkpoint
from handoff.proof.log.note import Note, NoteKey
from handoff.proof.log.receipt import Receipt, sign_receipt
from handoff.record.delivery import Verdict
from handoff.record.envelope import Identity, Source
from handoff.record.signing import SigningKey


class ReceiptEntry(NamedTuple):
    """Entry that its emitter and its recipients may request a receipt of."""

    offset: int
    record_hash: bytes
    subject: str
    emitter: str
    event_id: UUID
    rules: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class LogSigner:
    """The log of the record ``origin``, with its private key."""

    origin: Origin
    key: SigningKey

    @property
    def public_key(self) -> NoteKey:
        """Verifier key of the log."""
        return log_key(self.origin, self.key.public_key)

    def state(self, head: TreeHead) -> Note:
        """Sign a checkpoint of ``head``. The same head gives the same bytes."""
        return sign_checkpoint(Checkpoint(self.origin, head), self.key)

    def receipt(self, size: int, entry: ReceiptEntry) -> Note:
        """Sign a receipt: the checkpoint of ``size`` covers this entry."""
        source = str(Source(self.origin.jurisdiction, self.origin.generation, entry.emitter))
        event = Identity(entry.subject, source, entry.event_id)
        return sign_receipt(Receipt(self.origin, size, entry.record_hash, event, entry.rules, entry.verdict), self.key)
