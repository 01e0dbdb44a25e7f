"""Checkpoints: the size and root of a record's tree, signed by its log and cosigned by those who saw it grow.

Source: C2SP tlog-checkpoint and tlog-cosignature (Ed25519, ``cosignature/v1``).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from handoff.proof.log.merkle import EMPTY_ROOT, HASH_BYTES
from handoff.proof.log.note import (
    KeyType,
    NotANote,
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
from handoff.record.signing import SigningKey

_ORIGIN: Final = re.compile(r"handoff/([a-z][a-z0-9]{1,29})/record/([1-9][0-9]{0,8})")
_TIMESTAMP_BYTES: Final = 8


class NotSigned(Exception):
    """A checkpoint that its log has not signed: it says nothing."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which record: a generation of a jurisdiction's."""

    jurisdiction: str
    generation: int

    def __str__(self) -> str:
        return f"handoff/{self.jurisdiction}/record/{self.generation}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The origin in ``text``; raises ``NotANote``."""
        match = _ORIGIN.fullmatch(text)
        if match is None:
            raise NotANote("not the origin of a record")
        return cls(match[1], int(match[2]))


@dataclass(frozen=True, slots=True)
class Head:
    """The size and root of a tree."""

    size: int
    root: bytes


NO_HEAD: Final = Head(0, EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A record's head as its log states it."""

    origin: Origin
    head: Head

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.head.size}\n{encode_base64(self.head.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint in a note's text; extensions are none of this format. Raises ``NotANote``."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise NotANote("a checkpoint has three lines")
        root = decode_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise NotANote("a root has 32 bytes")
        return cls(Origin.parse(lines[0]), Head(decimal(lines[1]), root))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose log's signature has been checked, with the note that it came in."""

    checkpoint: Checkpoint
    note: Note

    @property
    def head(self) -> Head:
        """The head that the log states."""
        return self.checkpoint.head


def log_key(origin: Origin, public_key: bytes) -> NoteKey:
    """The key of a record's log: it is named as the record is."""
    return NoteKey(str(origin), KeyType.LOG, public_key)


def cosigner_key(jurisdiction: str, cosigner: str, public_key: bytes) -> NoteKey:
    """The key of one who cosigns a jurisdiction's checkpoints: an agency, or the monitor."""
    return NoteKey(f"handoff/{jurisdiction}/{cosigner}", KeyType.COSIGNER, public_key)


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> Note:
    """The note by which a log states its head."""
    return sign(Note(checkpoint.text), str(checkpoint.origin), key)


def open_checkpoint(raw: bytes, log: NoteKey) -> SignedCheckpoint:
    """The checkpoint in ``raw``. Raises ``NotANote``, ``NotSigned`` and ``NotGenuine``."""
    note = Note.parse(raw)
    checkpoint = Checkpoint.parse(note.text)
    if str(checkpoint.origin) != log.name or not is_signed(note, log):
        raise NotSigned(f"the log {log.name} has not signed this checkpoint")
    return SignedCheckpoint(checkpoint, note)


def cosign(note: Note, key: NoteKey, private: SigningKey, at: datetime) -> NoteSignature:
    """The statement that, at that second, this was the largest head of its log that the cosigner had seen."""
    timestamp = int(at.timestamp())
    signature = private.sign_itself(_cosigned(note, timestamp))
    return NoteSignature(key.name, key.id, timestamp.to_bytes(_TIMESTAMP_BYTES) + signature)


def cosigned_at(note: Note, key: NoteKey) -> datetime | None:
    """When the owner of ``key`` last cosigned; None if it did not. Raises ``NotGenuine``."""
    times = [_checked_time(note, key, claim) for claim in note.claims(key)]
    return max(times, default=None)


def _checked_time(note: Note, key: NoteKey, claim: NoteSignature) -> datetime:
    timestamp = int.from_bytes(claim.signature[:_TIMESTAMP_BYTES])
    check_signature(key, _cosigned(note, timestamp), claim.signature[_TIMESTAMP_BYTES:])
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise NotANote(f"{key.name} cosigned at no time of the calendar") from error


def _cosigned(note: Note, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{note.text}".encode()
