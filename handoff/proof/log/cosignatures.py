"""Parsing of values on the checkpoints topic: the log's tree head and its cosignatures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handoff.proof.log.checkpoint import Checkpoint, TreeHead, cosigned_at, open_checkpoint
from handoff.proof.log.note import Note, NoteKey
from handoff.proof.log.witness import AddCheckpoint


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One cosignature: the cosigner's name in the trust file, its time, and its line of the note."""

    cosigner: str
    at: datetime
    line: str


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """A tree head signed by the log, the log's own request to cosign it, and the cosignatures found on it."""

    head: TreeHead
    request: AddCheckpoint
    cosignatures: tuple[Cosignature, ...]


def read_published_checkpoint(
    body: bytes, log: NoteKey, witnesses: Mapping[str, NoteKey]
) -> PublishedCheckpoint | None:
    """Parse a value of the checkpoints topic. Return None if it concerns another record.

    Raises ``MalformedNote``, ``NotSignedByLog``, and ``InvalidSignature`` if a signature names a known key and fails.
    """
    request = AddCheckpoint.parse(body)
    note = Note.parse(request.note)
    if str(Checkpoint.parse(note.text).origin) != log.name:
        return None
    opened = open_checkpoint(request.note, log)
    own = str(Note(note.text, note.claims(log))).encode()
    found = (_cosignature(note, name, key) for name, key in witnesses.items())
    cosignatures = tuple(cosignature for cosignature in found if cosignature is not None)
    return PublishedCheckpoint(opened.head, AddCheckpoint(request.old_size, request.proof, own), cosignatures)


def _cosignature(note: Note, name: str, key: NoteKey) -> Cosignature | None:
    at = cosigned_at(note, key)
    return None if at is None else Cosignature(name, at, str(note.claims(key)[0]))
