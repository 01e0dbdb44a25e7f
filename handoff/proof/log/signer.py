"""A record's log: who states its heads, and gives receipts for what lies below them."""

from dataclasses import dataclass

from handoff.proof.log.checkpoint import Checkpoint, Head, Origin, log_key, sign_checkpoint
from handoff.proof.log.note import Note, NoteKey
from handoff.proof.log.receipt import Receipt, sign_receipt
from handoff.record.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Log:
    """The log of the record named ``origin``, with its private key."""

    origin: Origin
    key: SigningKey

    @property
    def public_key(self) -> NoteKey:
        """The key by which its word is checked."""
        return log_key(self.origin, self.key.public_key)

    def state(self, head: Head) -> Note:
        """The checkpoint that states ``head``; stated again, it is the same bytes."""
        return sign_checkpoint(Checkpoint(self.origin, head), self.key)

    def receipt(self, size: int, record_hash: bytes) -> Note:
        """The word that an entry of that hash lies below the checkpoint of that size."""
        return sign_receipt(Receipt(self.origin, size, record_hash), self.key)
