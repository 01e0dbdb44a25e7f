"""Receipts: the log's signed statement to emitter and recipients that a checkpoint covers an entry, with its verdict.

A receipt omits the index, because indexes reveal the pace of other members. It is a signed note by the log's
key. Its first line prevents its use as a checkpoint. The verdict is the projection's own, under the rules version in
force at the entry: with the exchange's signature on another delivery of it, the two prove which entry was delivered
falsely.
"""

import re
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from handoff.proof.log.checkpoint import NotSignedByLog, Origin
from handoff.proof.log.merkle import HASH_BYTES
from handoff.proof.log.note import MalformedNote, Note, decimal, decode_base64, encode_base64, is_signed, sign
from handoff.proof.log.verifiers import NoteVerifier
from handoff.record import formats
from handoff.record.delivery import Verdict, VerdictKind
from handoff.record.envelope import Identity
from handoff.record.signing import SigningKey

_EVENT: Final = re.compile(r"([!-~]{1,200}) (/[!-~]{1,200}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_JUDGED: Final = re.compile(rf"([0-9]{{1,9}}) ({'|'.join(VerdictKind)})(?: ([a-z0-9_.-]{{1,80}}))?")


@dataclass(frozen=True, slots=True)
class Receipt:
    """An event with its record hash, the size of a checkpoint that covers it, and its verdict under a rules version."""

    origin: Origin
    size: int
    record_hash: bytes
    event: Identity
    rules: int
    verdict: Verdict

    @property
    def text(self) -> str:
        """Signed text of the note."""
        judged = " ".join(filter(None, (str(self.rules), self.verdict.kind.value, self.verdict.reason)))
        named = " ".join((self.event.subject, self.event.source, str(self.event.event_id)))
        lines = (formats.RECEIPT, str(self.origin), str(self.size), encode_base64(self.record_hash), named, judged)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a note's text. Raises ``MalformedNote``."""
        lines = text.split("\n")
        if len(lines) != 7 or lines[0] != formats.RECEIPT or lines[6]:
            raise MalformedNote("not a receipt")
        record_hash = decode_base64(lines[3])
        if len(record_hash) != HASH_BYTES:
            raise MalformedNote("a record hash has 32 bytes")
        named, judged = _EVENT.fullmatch(lines[4]), _JUDGED.fullmatch(lines[5])
        if named is None or judged is None:
            raise MalformedNote("the line of the event or of the verdict is malformed")
        event = Identity(named[1], named[2], UUID(named[3]))
        verdict = Verdict(VerdictKind(judged[2]), judged[3])
        return cls(Origin.parse(lines[1]), decimal(lines[2]), record_hash, event, decimal(judged[1]), verdict)


def sign_receipt(receipt: Receipt, *keys: SigningKey) -> Note:
    """Sign ``receipt`` with each of the log's keys."""
    return sign(Note(receipt.text), str(receipt.origin), *keys)


def open_receipt(raw: bytes, log: NoteVerifier) -> Receipt:
    """Parse ``raw`` and verify the signatures by keys of the log that count at its size.

    Raises ``MalformedNote``, ``NotSignedByLog``, ``InvalidSignature``.
    """
    note = Note.parse(raw)
    receipt = Receipt.parse(note.text)
    if str(receipt.origin) != log.name or not is_signed(note, *log.keys_at(receipt.size)):
        raise NotSignedByLog(f"the log {log.name} has not signed this receipt")
    return receipt
