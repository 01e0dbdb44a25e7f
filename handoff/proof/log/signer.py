"""Signing with the private keys of a record's log, and of a cosigner.

During a rotation both sign with the current and the next key. A reader ignores the signature by a key that its trust
file does not have, so that each reader may get the renewed file before or after the signer gets the next key.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

from handoff.proof.log.checkpoint import (
    Checkpoint,
    Origin,
    TreeHead,
    cosign,
    cosigner_key,
    log_key,
    sign_checkpoint,
)
from handoff.proof.log.note import Note, NoteKey, NoteSignature
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
    next: SigningKey | None = None

    @property
    def public_key(self) -> NoteKey:
        """Verifier key of the current private key."""
        return log_key(self.origin, self.key.public_key)

    @property
    def public_keys(self) -> tuple[NoteKey, ...]:
        """Verifier keys of the current private key and of the next one."""
        return tuple(log_key(self.origin, key.public_key) for key in self._private)

    @property
    def _private(self) -> tuple[SigningKey, ...]:
        return (self.key,) if self.next is None else (self.key, self.next)

    def state(self, head: TreeHead) -> Note:
        """Sign a checkpoint of ``head``. The same head gives the same bytes, as long as the keys are the same."""
        return sign_checkpoint(Checkpoint(self.origin, head), *self._private)

    def receipt(self, size: int, entry: ReceiptEntry) -> Note:
        """Sign a receipt: the checkpoint of ``size`` covers this entry."""
        source = str(Source(self.origin.jurisdiction, self.origin.generation, entry.emitter))
        event = Identity(entry.subject, source, entry.event_id)
        receipt = Receipt(self.origin, size, entry.record_hash, event, entry.rules, entry.verdict)
        return sign_receipt(receipt, *self._private)


@dataclass(frozen=True, slots=True)
class Cosigner:
    """An agency or the monitor with its private keys; as a verifier it knows its own cosignatures."""

    keys: tuple[NoteKey, ...]
    private: tuple[SigningKey, ...]

    @classmethod
    def of(cls, jurisdiction: str, member: str, *private: SigningKey) -> Self:
        """Return the cosigner ``member`` with its current private key and, during a rotation, the next."""
        return cls(tuple(cosigner_key(jurisdiction, member, key.public_key) for key in private), private)

    @property
    def name(self) -> str:
        """Name on its signature lines."""
        return self.keys[0].name

    @property
    def public_keys(self) -> tuple[NoteKey, ...]:
        """Its verifier keys, the current one first."""
        return self.keys

    def keys_at(self, _size: int) -> tuple[NoteKey, ...]:
        """Return its verifier keys: every own cosignature is one that it has published."""
        return self.keys

    def sign(self, note: Note, at: datetime) -> tuple[NoteSignature, ...]:
        """Cosign ``note`` with each key."""
        return tuple(cosign(note, key, private, at) for key, private in zip(self.keys, self.private, strict=True))
