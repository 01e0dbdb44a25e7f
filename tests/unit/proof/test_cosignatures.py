"""Values on the checkpoints topic as a log reads them."""

from datetime import timedelta

import pytest

from handoff.proof.log.checkpoint import NotSignedByLog, Origin, TreeHead, cosign, cosigner_key
from handoff.proof.log.cosignatures import read_published_checkpoint
from handoff.proof.log.note import InvalidSignature, MalformedNote, Note
from handoff.proof.log.signer import LogSigner
from handoff.proof.log.witness import AddCheckpoint
from tests.support.dsl.builders import T0, key_of
from tests.support.parts.proof_record import witness_key

LOG = LogSigner(Origin("prizren", 1), key_of("the projection"))
WITNESSES = {name: cosigner_key("prizren", name, witness_key(name).public_key) for name in ("monitor", "police")}
HEAD = TreeHead(7, bytes(range(32)))
PROOF = (bytes(32),)


def body(note: Note) -> bytes:
    return AddCheckpoint(5, PROOF, str(note).encode()).encode()


def cosigned(note: Note, name: str, seconds: int, by: str | None = None) -> Note:
    at = T0 + timedelta(seconds=seconds)
    key = cosigner_key("prizren", name, witness_key(name).public_key)
    return note.signed(cosign(note, key, witness_key(by or name), at))


def test_the_request_is_unchanged_from_the_published_one() -> None:
    """Cosignatures are taken off, so that what a restored log remembers is its own bytes."""
    stated = LOG.state(HEAD)
    found = read_published_checkpoint(body(cosigned(stated, "police", 0)), LOG.public_key, WITNESSES)
    assert found is not None
    assert found.head == HEAD
    assert found.request == AddCheckpoint(5, PROOF, str(stated).encode())


def test_each_known_cosigner_s_line_is_found_and_strangers_are_passed_over() -> None:
    """A line under the note's text verifies on its own."""
    note = cosigned(LOG.state(HEAD), "police", 60)
    note = cosigned(cosigned(note, "stranger", 90), "monitor", 30)
    found = read_published_checkpoint(body(note), LOG.public_key, WITNESSES)
    assert found is not None
    assert [(one.cosigner, one.at - T0) for one in found.cosignatures] == [
        ("monitor", timedelta(seconds=30)),
        ("police", timedelta(seconds=60)),
    ]
    again = Note.parse(found.request.note + "".join(one.line for one in found.cosignatures).encode())
    assert read_published_checkpoint(body(again), LOG.public_key, WITNESSES) == found


@pytest.mark.parametrize("origin", [Origin("prizren", 2), Origin("gjakova", 1)])
def test_another_records_checkpoint_is_no_alarm(origin: Origin) -> None:
    """A topic outlives a generation."""
    assert read_published_checkpoint(body(LogSigner(origin, LOG.key).state(HEAD)), LOG.public_key, WITNESSES) is None


def test_a_note_not_signed_by_the_log_is_refused() -> None:
    """A head counts by its log's signature alone, independent of its cosignatures."""
    with pytest.raises(NotSignedByLog):
        read_published_checkpoint(body(cosigned(Note(LOG.state(HEAD).text), "monitor", 0)), LOG.public_key, WITNESSES)


def test_a_signature_that_claims_a_known_key_and_does_not_verify_spoils_the_whole_value() -> None:
    """Nothing of it is kept, not even what was genuine."""
    with pytest.raises(InvalidSignature):
        read_published_checkpoint(body(cosigned(LOG.state(HEAD), "police", 0, by="shelter")), LOG.public_key, WITNESSES)


@pytest.mark.parametrize("junk", [b"", b"old 5\n\n", b"\xff" * 100, b"old 5\n\nno note"])
def test_bytes_that_are_no_request_are_refused(junk: bytes) -> None:
    """Anyone who may write the topic may write anything."""
    with pytest.raises(MalformedNote):
        read_published_checkpoint(junk, LOG.public_key, WITNESSES)
