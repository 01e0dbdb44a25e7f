"""A note on the topic of checkpoints is bounded before any signature in it is checked."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from handoff.operations.setup.access import quotas, user_name
from handoff.proof.log.checkpoint import cosign, open_checkpoint
from handoff.proof.log.note import MAX_SIGNATURES, MalformedNote, Note, NoteSignature
from handoff.proof.log.witness import MAX_REQUEST_BYTES, AddCheckpoint
from handoff.record.topics import topics
from tests.support.dsl.builders import JURISDICTION, T0, key_of
from tests.support.dsl.spec import MEMBERS
from tests.support.parts.checkpoints import PlayedLog, witness_key

LOG = PlayedLog(JURISDICTION)
LINES = 300
"""Far more signature lines than a jurisdiction has cosigners, in less than 64 KiB."""
_RATE = 256 * 1024
"""Bytes a second that cannot keep a node from its work."""


def _repeated(note: Note) -> list[NoteSignature]:
    """The log's own line again and again, as any cosigner can write it."""
    return [note.signatures[0]] * LINES


def _by_one_cosigner(note: Note) -> list[NoteSignature]:
    """Genuine cosignatures of one agency, each of another second."""
    key, private = LOG.cosigner("police"), witness_key("police")
    return [cosign(note, key, private, T0 + timedelta(seconds=number)) for number in range(LINES)]


def _by_strangers(note: Note) -> list[NoteSignature]:
    """Lines under names that no trust file has."""
    signature = key_of("a stranger").sign_itself(note.text.encode())
    return [NoteSignature(f"stranger/{number}", bytes(4), signature) for number in range(LINES)]


@pytest.mark.parametrize("lines", [_repeated, _by_one_cosigner, _by_strangers])
def test_a_note_with_too_many_lines_is_no_note(lines: Callable[[Note], list[NoteSignature]]) -> None:
    """Duplicates, several lines of one cosigner and more lines than cosigners are refused as a whole."""
    note = LOG.note(9)
    raw = str(note.signed(*lines(note))).encode()
    assert len(raw) < 64 * 1024
    with pytest.raises(MalformedNote):
        open_checkpoint(raw, LOG.key)


def test_no_agency_floods_a_topic_that_every_node_reads() -> None:
    """Each cosigner has a topic of its own, or a quota under which it cannot hurt."""
    rates = {quota.user: quota.producer_byte_rate for quota in quotas(JURISDICTION, MEMBERS)}
    shared = [topic for topic in topics(JURISDICTION, MEMBERS) if set(MEMBERS) <= set(topic.readers)]
    assert shared, "checkpoints reach every member"
    writers = {w for topic in shared if len(topic.writers) > 1 for w in topic.writers if w in MEMBERS}
    assert max((rates[user_name(JURISDICTION, w)] for w in writers), default=0) <= _RATE


def test_two_lines_of_one_key_are_refused_and_one_of_each_cosigner_is_not() -> None:
    """Every cosigner of a large jurisdiction may sign one note."""
    note = LOG.note(9)
    key, private = LOG.cosigner("police"), witness_key("police")
    twice = note.signed(*(cosign(note, key, private, T0 + timedelta(seconds=number)) for number in range(2)))
    with pytest.raises(MalformedNote):
        open_checkpoint(str(twice).encode(), LOG.key)
    signature = key_of("a stranger").sign_itself(note.text.encode())
    others = (NoteSignature(f"stranger/{number}", bytes(4), signature) for number in range(MAX_SIGNATURES - 1))
    assert open_checkpoint(str(note.signed(*others)).encode(), LOG.key).head.size == 9


@pytest.mark.parametrize("padding", [b"A" * MAX_REQUEST_BYTES, b"AAAA\n" * (MAX_REQUEST_BYTES // 5)])
def test_a_request_is_refused_by_its_size_before_it_is_parsed(padding: bytes) -> None:
    """A long proof, a long line and a long note cost a comparison of one number."""
    body = LOG.request(0, 9).encode()
    for inflated in (b"old 0\n" + padding + body[5:], body + padding):
        with pytest.raises(MalformedNote, match="exceed the limit"):
            AddCheckpoint.parse(inflated)
