"""Notes, checkpoints and cosignatures are C2SP's, and are read in one way only."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from handoff.proof.log import note as notes
from handoff.proof.log.checkpoint import (
    Checkpoint,
    NotSignedByLog,
    Origin,
    TreeHead,
    cosign,
    cosigned_at,
    cosigner_key,
    log_key,
    open_checkpoint,
    sign_checkpoint,
)
from handoff.proof.log.note import InvalidSignature, KeyType, MalformedNote, Note, NoteKey, is_signed
from handoff.record import signing
from tests.support.dsl.builders import key_of

# The example of C2SP's signed-note.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
ORIGIN = Origin("prizren", 1)
LOG = key_of("log")
HEAD = TreeHead(7, bytes(range(32)))
CHECKPOINT = sign_checkpoint(Checkpoint(ORIGIN, HEAD), LOG)
KEY = log_key(ORIGIN, LOG.public_key)
MONITOR = cosigner_key("prizren", "monitor", key_of("monitor").public_key)
AT = datetime(2026, 1, 5, 22, 40, 7, tzinfo=UTC)
VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ed25519_cctv.json").read_text(encoding="utf-8")
)


def test_the_formats_own_example_verifies() -> None:
    key = NoteKey.parse(EXAMPLE_KEY)
    note = Note.parse(EXAMPLE.encode())
    assert is_signed(note, key)
    assert (str(key), str(note)) == (EXAMPLE_KEY, EXAMPLE)


def test_a_checkpoint_is_three_lines_under_the_logs_name() -> None:
    text, _, signatures = str(CHECKPOINT).partition("\n\n")
    assert text == "handoff/prizren/record/1\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert signatures.startswith("— handoff/prizren/record/1 ")
    assert open_checkpoint(str(CHECKPOINT).encode(), KEY).head == HEAD


def test_a_cosignature_has_the_time_at_which_the_head_was_the_largest() -> None:
    cosigned = CHECKPOINT.signed(cosign(CHECKPOINT, MONITOR, key_of("monitor"), AT))
    assert cosigned_at(cosigned, MONITOR) == AT
    assert cosigned_at(CHECKPOINT, MONITOR) is None
    assert len(cosigned.signatures[-1].signature) == 72


def test_the_latest_of_several_cosignatures_counts() -> None:
    later = AT.replace(hour=23)
    twice = [cosign(CHECKPOINT, MONITOR, key_of("monitor"), at) for at in (later, AT)]
    assert cosigned_at(CHECKPOINT.signed(*twice), MONITOR) == later


def test_one_false_signature_under_a_known_key_spoils_the_note() -> None:
    good, other = (cosign(CHECKPOINT, MONITOR, key_of(name), AT) for name in ("monitor", "csw"))
    with pytest.raises(InvalidSignature):
        cosigned_at(CHECKPOINT.signed(good, other), MONITOR)


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    stranger = cosigner_key("prizren", "stranger", key_of("stranger").public_key)
    note = CHECKPOINT.signed(cosign(CHECKPOINT, stranger, key_of("csw"), AT))
    assert open_checkpoint(str(note).encode(), KEY).head == HEAD


def test_a_key_signs_as_log_or_as_cosigner_and_not_as_both() -> None:
    """The same 32 bytes have another id for each, and sign other bytes."""
    as_cosigner = NoteKey(KEY.name, KeyType.COSIGNER, KEY.public_key)
    assert as_cosigner.id != KEY.id
    assert cosigned_at(CHECKPOINT, as_cosigner) is None


def test_a_log_states_its_own_record_alone() -> None:
    other = sign_checkpoint(Checkpoint(Origin("prizren", 2), HEAD), LOG)
    with pytest.raises(NotSignedByLog):
        open_checkpoint(str(other).encode(), KEY)
    renamed = notes.sign(Note(Checkpoint(Origin("prizren", 2), HEAD).text), KEY.name, LOG)
    with pytest.raises(NotSignedByLog):
        open_checkpoint(str(renamed).encode(), KEY)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "no signature\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name AAAAAA==",
        "text\n\n— na+me AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n",
        "text\n\n— name AAAAAAB=\n",
        "text\n\n— name AAAAAAA\n",
        "text\n\n- name AAAAAAA=\n",
        "te\txt\n\n— name AAAAAAA=\n",
        "text\r\n\n— name AAAAAAA=\n",
        "\n\n— name AAAAAAA=\n",
        "text\n\n— name AAAAAAA=\n\n",
        "x" * notes.MAX_NOTE_BYTES + "\n\n— name AAAAAAA=\n",
    ],
)
def test_an_invalid_note_is_refused(written: str) -> None:
    with pytest.raises(MalformedNote):
        Note.parse(written.encode())


def test_bytes_that_are_no_text_are_no_note() -> None:
    with pytest.raises(MalformedNote):
        Note.parse(b"text \xff\n\n" + EXAMPLE.encode())


@pytest.mark.parametrize(
    "text",
    [
        "handoff/prizren/record/1\n7\n",
        "handoff/prizren/record/1\n07\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "handoff/prizren/record/1\n-7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "handoff/prizren/record/1\n\u0667\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "handoff/prizren/record/1\n9223372036854775808\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "handoff/prizren/record/1\n7\nAAECAwQF\n",
        "handoff/prizren/record/1\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nextension\n",
        "handoff/prizren/record/0\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "example.com/log\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    ],
)
def test_an_invalid_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedNote):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("example.com/foo", "exam ple"),
        EXAMPLE_KEY[:-4],
        f"name+00000000+{notes.encode_base64(bytes([2]) + bytes(32))}",
        f"name+00000000+{notes.encode_base64(bytes([1]) + bytes(32))}",
    ],
)
def test_an_invalid_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedNote):
        NoteKey.parse(text)


def test_signatures_on_notes_are_decided_as_those_on_events_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 914 CCTV vectors: one library decides everywhere."""
    monkeypatch.setattr(signing, "pre_authentication_encoding", lambda _, body: body)
    assert len(VECTORS) == 914
    for vector in VECTORS:
        public_key, message, signature = (
            bytes.fromhex(vector["key"]),
            vector["msg"].encode(),
            bytes.fromhex(vector["sig"]),
        )
        key = NoteKey("vector", KeyType.LOG, public_key)
        assert is_genuine(key, message, signature) is signing.verifies(public_key, message, signature), vector["number"]


def is_genuine(key: NoteKey, message: bytes, signature: bytes) -> bool:
    try:
        notes.check_signature(key, message, signature)
    except InvalidSignature:
        return False
    return True
