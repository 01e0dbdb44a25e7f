"""The verifier decides on each CCTV vector, inside a bundle, as the record's own signing does."""

import json
from pathlib import Path
from typing import Any

import pytest

from handoff.proof.verify.authorship import AuthorshipCheck, AuthorshipRejected
from handoff.proof.verify.bundle import BundleRecord
from handoff.proof.verify.keyring import Keyring, RegisteredKey
from handoff.record import signing
from handoff.record.message import Message
from tests.support.dsl.builders import JURISDICTION
from tests.support.parts.proof_record import ORIGIN, reading

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ed25519_cctv.json").read_text(encoding="utf-8")
)
WORD = reading(1)


def accepts(vector: dict[str, Any]) -> bool:
    """Return whether a record signed as in ``vector``, under its key, is authenticated as an event of police."""
    key_id = "a" * 64
    key = RegisteredKey("police", bytes.fromhex(vector["key"]))
    keyring = Keyring(JURISDICTION, founded=True, members=frozenset({"police"}), keys={key_id: key})
    headers = (("signature", bytes.fromhex(vector["sig"])), ("key-id", key_id.encode()))
    try:
        AuthorshipCheck(ORIGIN, "", keyring).check(record(Message(WORD.key, WORD.value, headers)), 0)
    except AuthorshipRejected:
        return False
    return True


def record(message: Message) -> BundleRecord:
    return BundleRecord(offset=8, key=message.key, headers=message.headers, value=message.value, proof=())


def test_the_verifiers_decision_is_that_of_the_records_signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vector's message replaces the encoded event, both for signing and for verification."""
    assert len(VECTORS) == 914
    decided = set()
    for vector in VECTORS:
        monkeypatch.setattr(signing, "pre_authentication_encoding", lambda *_, v=vector: v["msg"].encode())
        key, signature = bytes.fromhex(vector["key"]), bytes.fromhex(vector["sig"])
        answer = accepts(vector)
        assert answer is signing.verifies(key, WORD.value or b"", signature), vector["number"]
        decided.add(answer)
    assert decided == {True, False}
