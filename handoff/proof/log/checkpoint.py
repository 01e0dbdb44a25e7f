"""Checkpoints: size and root of a record's tree, signed by its log and cosigned by its witnesses.

Source: C2SP tlog-checkpoint and tlog-cosignature (Ed25519, ``cosignature/v1``).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

from handoff.proof.log.merkle import EMPTY_ROOT, HASH_BYTES
from handoff.proof.log.note import (
    KeyType,
    MalformedNote,
    Note,
    NoteKey,
    NoteSignature,
    check_signature,
    decimal,
    decode_base64,
    encode_base64,
    is_signed,
    sign,
)
from handoff.proof.log.verifiers import NoteVerifier
from handoff.record.signing import SigningKey

_ORIGIN: Final = re.compile(r"handoff/([a-z][a-z0-9]{1,29})/record/([1-9][0-9]{0,8})")
_TIMESTAMP_BYTES: Final = 8


class NotSignedByLog(Exception):
    """A checkpoint or receipt without a signature of its log: it proves nothing."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Identity of a record: jurisdiction and generation."""

    jurisdiction: str
    generation: int

    def __str__(self) -> str:
        return f"handoff/{self.jurisdiction}/record/{self.generation}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an origin line. Raises ``MalformedNote``."""
        match = _ORIGIN.fullmatch(text)
        if match is None:
            raise MalformedNote("the first line is not a record's origin (handoff/<jurisdiction>/record/<generation>)")
        return cls(match[1], int(match[2]))


@dataclass(frozen=True, slots=True)
class TreeHead:
    """Tree head: number of leaves and root hash (RFC 6962, *signed tree head*)."""

    size: int
    root: bytes


EMPTY_TREE_HEAD: Final = TreeHead(0, EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A record's tree head as its log publishes it."""

    origin: Origin
    head: TreeHead

    @property
    def text(self) -> str:
        """Signed text of the note."""
        return f"{self.origin}\n{self.head.size}\n{encode_base64(self.head.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a note's text. Extension lines are refused. Raises ``MalformedNote``."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise MalformedNote("a checkpoint has three lines")
        root = decode_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise MalformedNote("a root has 32 bytes")
        return cls(Origin.parse(lines[0]), TreeHead(decimal(lines[1]), root))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with a verified log signature, and the note that carried it."""

    checkpoint: Checkpoint
    note: Note

    @property
    def head(self) -> TreeHead:
        """Tree head of the checkpoint."""
        return self.checkpoint.head


def log_key(origin: Origin, public_key: bytes) -> NoteKey:
    """Verifier key of a record's log; its name is the record's origin."""
    return NoteKey(str(origin), KeyType.LOG, public_key)


def cosigner_name(jurisdiction: str, cosigner: str) -> str:
    """Name of a cosigner's keys: an agency or the monitor of the jurisdiction."""
    return f"handoff/{jurisdiction}/{cosigner}"


def cosigner_key(jurisdiction: str, cosigner: str, public_key: bytes) -> NoteKey:
    """Verifier key of a cosigner."""
    return NoteKey(cosigner_name(jurisdiction, cosigner), KeyType.COSIGNER, public_key)


def sign_checkpoint(checkpoint: Checkpoint, *keys: SigningKey) -> Note:
    """Sign ``checkpoint`` with each of the log's keys."""
    return sign(Note(checkpoint.text), str(checkpoint.origin), *keys)


def open_checkpoint(raw: bytes, log: NoteVerifier) -> SignedCheckpoint:
    """Parse ``raw`` and verify the signatures by keys of the log that count at its size.

    Raises ``MalformedNote``, ``NotSignedByLog``, ``InvalidSignature``.
    """
    note = Note.parse(raw)
    checkpoint = Checkpoint.parse(note.text)
    if str(checkpoint.origin) != log.name or not is_signed(note, *log.keys_at(checkpoint.head.size)):
        raise NotSignedByLog(f"the log {log.name} has not signed this checkpoint")
    return SignedCheckpoint(checkpoint, note)


def cosign(note: Note, key: NoteKey, private: SigningKey, at: datetime) -> NoteSignature:
    """Cosign ``note``: at that second, it was the largest head of this log that the cosigner had seen."""
    timestamp = int(at.timestamp())
    signature = private.sign_itself(_cosigned(note, timestamp))
    return NoteSignature(key.name, key.id, timestamp.to_bytes(_TIMESTAMP_BYTES) + signature)


def without_cosignatures(note: Note, log: NoteVerifier) -> Note:
    """Return a checkpoint's note with the signatures of the log alone."""
    keys = log.keys_at(Checkpoint.parse(note.text).head.size)
    return Note(note.text, tuple(claim for key in keys for claim in note.claims(key)))


class Cosigned(NamedTuple):
    """A verified cosignature: its time and its line of the note."""

    at: datetime
    line: NoteSignature


def cosignature(note: Note, cosigner: NoteVerifier) -> Cosigned | None:
    """Return the newest cosignature by a key of ``cosigner`` that counts at this size, or None.

    Raises ``InvalidSignature`` if one that names such a key fails.
    """
    keys = cosigner.keys_at(Checkpoint.parse(note.text).head.size)
    found = [Cosigned(_checked_time(note, key, claim), claim) for key in keys for claim in note.claims(key)]
    return max(found, key=lambda cosigned: cosigned.at, default=None)


def cosigned_at(note: Note, cosigner: NoteVerifier) -> datetime | None:
    """Return the time at which ``cosigner`` cosigned, or None. Raises ``InvalidSignature``."""
    found = cosignature(note, cosigner)
    return None if found is None else found.at


def _checked_time(note: Note, key: NoteKey, claim: NoteSignature) -> datetime:
    timestamp = int.from_bytes(claim.signature[:_TIMESTAMP_BYTES])
    check_signature(key, _cosigned(note, timestamp), claim.signature[_TIMESTAMP_BYTES:])
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedNote(f"{key.name} cosigned at a time outside the calendar") from error


def _cosigned(note: Note, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{note.text}".encode()
