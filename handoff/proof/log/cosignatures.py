"""Parsing of values on the checkpoints topic: the log's tree head and its cosignatures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handoff.proof.log.checkpoint import Checkpoint, TreeHead, cosignature, open_checkpoint, without_cosignatures
from handoff.proof.log.note import Note
from handoff.proof.log.verifiers import NoteVerifier
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
    body: bytes, log: NoteVerifier, witnesses: Mapping[str, NoteVerifier]
) -> PublishedCheckpoint | None:
    """Parse a value of the checkpoints topic. Return None if it concerns another record.

    Raises ``MalformedNote``, ``NotSignedByLog``, and ``InvalidSignature`` if a signature names a known key and fails.
    """
    request = AddCheckpoint.parse(body)
    note = Note.parse(request.note)
    if str(Checkpoint.parse(note.text).origin) != log.name:
        return None
    opened = open_checkpoint(request.note, log)
    own = str(without_cosignatures(note, log)).encode()
    found = (_cosignature(note, name, key) for name, key in witnesses.items())
    cosignatures = tuple(cosignature for cosignature in found if cosignature is not None)
    return PublishedCheckpoint(opened.head, AddCheckpoint(request.old_size, request.proof, own), cosignatures)


def _cosignature(note: Note, name: str, witness: NoteVerifier) -> Cosignature | None:
    found = cosignature(note, witness)
    return None if found is None else Cosignature(name, found.at, str(found.line))
