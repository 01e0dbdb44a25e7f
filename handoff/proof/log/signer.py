"""Signing of checkpoints and receipts with the private key of a record's log."""

from dataclasses import dataclass

from handoff.proof.log.checkpoint import Checkpoint, Origin, TreeHead, log_key, sign_checkpoint
from handoff.proof.log.note import Note, NoteKey
from handoff.proof.log.receipt import Receipt, sign_receipt
from handoff.record.signing import SigningKey


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

    def receipt(self, size: int, record_hash: bytes) -> Note:
        """Sign a receipt: the checkpoint of ``size`` covers an entry with this record hash."""
        return sign_receipt(Receipt(self.origin, size, record_hash), self.key)
