"""One library decides what verifies, over one encoding that no other type of statement shares."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from handoff.record import formats, signing
from handoff.record.envelope import CONTENT_TYPE
from handoff.record.events import referral
from handoff.record.message import sign
from tests.support.dsl.builders import CASE, REFERRAL, event, key_of, signed

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ed25519_cctv.json").read_text(encoding="utf-8")
)
KEY = key_of("police")
BODY = b'{"specversion":"1.0"}'


def test_the_encoding_is_that_of_dsse() -> None:
    """The example of DSSE's own protocol text."""
    assert (
        signing.pre_authentication_encoding(b"http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_counted_in_bytes_and_written_without_padding() -> None:
    assert signing.pre_authentication_encoding(b"", "ë".encode()) == b"DSSEv1 0  2 \xc3\xab"


def test_a_signature_is_plain_ed25519_over_the_encoding_with_the_events_type() -> None:
    expected = b"DSSEv1 39 application/vnd.handoff.event+json; v=1 21 " + BODY
    VerifyKey(KEY.public_key).verify(expected, KEY.sign(BODY))


def test_a_signature_verifies_over_its_own_bytes_key_and_type_alone() -> None:
    signature = KEY.sign(BODY)
    assert signing.verifies(KEY.public_key, BODY, signature)
    assert not signing.verifies(KEY.public_key, BODY + b" ", signature)
    assert not signing.verifies(key_of("shelter").public_key, BODY, signature)
    assert not signing.verifies(KEY.public_key, BODY, signature, formats.KEY_POSSESSION)


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_a_flipped_bit_does_not_verify(bit: int) -> None:
    signature = bytearray(KEY.sign(BODY))
    signature[bit // 8] ^= 1 << bit % 8
    assert not signing.verifies(KEY.public_key, BODY, bytes(signature))


@pytest.mark.parametrize("length", [0, 1, 31, 33, 63, 65, 128])
def test_keys_and_signatures_of_another_length_do_not_verify(length: int) -> None:
    assert not signing.verifies(KEY.public_key, BODY, bytes(length))
    assert not signing.verifies(bytes(length), BODY, KEY.sign(BODY))


def test_verification_decides_on_each_cctv_vector_as_pynacl_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Implementations disagree on 914 edge cases of Ed25519; here PyNaCl's answer is the only one."""
    monkeypatch.setattr(signing, "pre_authentication_encoding", lambda _, body: body)
    assert len(VECTORS) == 914
    for vector in VECTORS:
        parts = bytes.fromhex(vector["key"]), vector["msg"].encode(), bytes.fromhex(vector["sig"])
        assert signing.verifies(*parts) is pynacl_verifies(*parts), vector["number"]


def pynacl_verifies(key: bytes, body: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(body, signature)
    except BadSignatureError:
        return False
    return True


def test_no_vector_of_a_low_order_point_or_another_encoding_verifies() -> None:
    """43 vectors are accepted; 42 of them have keys that the directory refuses."""
    accepted = [
        vector
        for vector in VECTORS
        if pynacl_verifies(bytes.fromhex(vector["key"]), vector["msg"].encode(), bytes.fromhex(vector["sig"]))
    ]
    flags = {flag for vector in accepted for flag in vector["flags"] or ()}
    assert len(accepted) == 43
    assert flags == {"low_order_component_A", "low_order_component_R"}
    registered = [v for v in accepted if signing.is_valid_public_key(bytes.fromhex(v["key"]))]
    assert [v["flags"] for v in registered] == [None]


def test_the_directory_refuses_every_vectors_key_with_a_low_order_part() -> None:
    for vector in VECTORS:
        is_weak = any(flag.endswith("_A") for flag in vector["flags"] or ())
        assert signing.is_valid_public_key(bytes.fromhex(vector["key"])) is not is_weak, vector["number"]


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32), bytes(33), b"\xff" * 32])
def test_bytes_that_are_no_point_are_no_public_key(key: bytes) -> None:
    assert not signing.is_valid_public_key(key)


def test_a_key_id_covers_the_keys_type() -> None:
    assert KEY.id == signing.key_id(KEY.public_key)
    assert signing.key_id(bytes(32)) == hashlib.sha256(b"\x01" + bytes(32)).hexdigest()


def test_a_published_message_carries_key_type_signature_and_key_id() -> None:
    message = signed(event(referral.ReferralOpened(referral=REFERRAL)))
    assert message.key == str(CASE).encode()
    assert message.value is not None
    assert message.header("content-type") == CONTENT_TYPE.encode()
    assert message.header("key-id") == KEY.id.encode()
    assert signing.verifies(KEY.public_key, message.value, message.header("signature") or b"")


def test_a_header_that_is_there_twice_counts_as_missing() -> None:
    message = sign("prizren", BODY, KEY)
    doubled = type(message)(message.key, message.value, (*message.headers, ("key-id", b"other")))
    assert doubled.header("key-id") is None


def test_a_secret_seed_is_never_shown() -> None:
    assert KEY.seed.hex() not in repr(KEY)
    assert str(KEY.seed) not in repr(KEY)


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_a_seed_that_is_not_thirty_two_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|fromhex"):
        signing.SigningKey.from_hex(text)
