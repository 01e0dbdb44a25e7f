"""What a log makes of a value on the topic of checkpoints: a head of its own, and who cosigned it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handoff.proof.log.checkpoint import Checkpoint, Head, cosigned_at, open_checkpoint
from handoff.proof.log.note import Note, NoteKey
from handoff.proof.log.witness import AddCheckpoint


@dataclass(frozen=True, slots=True)
class Cosignature:
    """Who cosigned (by the name in the trust file), when, and the line of the note that says so."""

    cosigner: str
    at: datetime
    line: str


@dataclass(frozen=True, slots=True)
class Collected:
    """A head that the log signed, the request as the log itself published it, and the cosignatures it came with."""

    head: Head
    request: AddCheckpoint
    cosignatures: tuple[Cosignature, ...]


def collect(body: bytes, log: NoteKey, witnesses: Mapping[str, NoteKey]) -> Collected | None:
    """What ``body`` holds for the log with that key; None if it is about another record.

    Raises ``NotANote``, ``NotSigned``, and ``NotGenuine`` where a signature only claims a key that is known here.
    """
    request = AddCheckpoint.parse(body)
    note = Note.parse(request.note)
    if str(Checkpoint.parse(note.text).origin) != log.name:
        return None
    opened = open_checkpoint(request.note, log)
    own = str(Note(note.text, note.claims(log)[:1])).encode()
    found = (_cosignature(note, name, key) for name, key in witnesses.items())
    cosignatures = tuple(cosignature for cosignature in found if cosignature is not None)
    return Collected(opened.head, AddCheckpoint(request.old_size, request.proof, own), cosignatures)


def _cosignature(note: Note, name: str, key: NoteKey) -> Cosignature | None:
    claims = note.claims(key)
    # Ed25519 is deterministic, so a cosigner has one line for a second; of several, the latest is the last word.
    times = [(at, str(claim)) for claim in claims if (at := cosigned_at(Note(note.text, (claim,)), key)) is not None]
    return Cosignature(name, *max(times)) if times else None
