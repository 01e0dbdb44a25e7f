"""Receipts: the projection's signed statement to an emitter that a checkpoint covers its event.

A receipt omits the index, because indexes reveal the pace of other members. It is a signed note by the log's
key. Its first line prevents its use as a checkpoint.
"""

from dataclasses import dataclass
from typing import Self

from handoff.proof.log.checkpoint import NotSignedByLog, Origin
from handoff.proof.log.merkle import HASH_BYTES
from handoff.proof.log.note import MalformedNote, Note, NoteKey, decimal, decode_base64, encode_base64, is_signed, sign
from handoff.record import formats
from handoff.record.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Receipt:
    """A record hash and the size of a checkpoint that covers it."""

    origin: Origin
    size: int
    record_hash: bytes

    @property
    def text(self) -> str:
        """Signed text of the note."""
        return f"{formats.RECEIPT}\n{self.origin}\n{self.size}\n{encode_base64(self.record_hash)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a note's text. Raises ``MalformedNote``."""
        lines = text.split("\n")
        if len(lines) != 5 or lines[0] != formats.RECEIPT or lines[4]:
            raise MalformedNote("not a receipt")
        record_hash = decode_base64(lines[3])
        if len(record_hash) != HASH_BYTES:
            raise MalformedNote("a record hash has 32 bytes")
        return cls(Origin.parse(lines[1]), decimal(lines[2]), record_hash)


def sign_receipt(receipt: Receipt, key: SigningKey) -> Note:
    """Sign ``receipt`` with the log's key."""
    return sign(Note(receipt.text), str(receipt.origin), key)


def open_receipt(raw: bytes, log: NoteKey) -> Receipt:
    """Parse ``raw`` and verify the signature. Raises ``MalformedNote``, ``NotSignedByLog``, ``InvalidSignature``."""
    note = Note.parse(raw)
    receipt = Receipt.parse(note.text)
    if str(receipt.origin) != log.name or not is_signed(note, log):
        raise NotSignedByLog(f"the log {log.name} has not signed this receipt")
    return receipt
