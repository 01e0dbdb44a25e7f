"""The timeline's entry and its hashes are exactly the bytes that proof.md names."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.proof.log.entry import ENTRY_BYTES, NO_PREVIOUS, LogEntry, MalformedEntry, case_tag, leaf_hash, record_hash

KEY = b"5b1f9a40-9d0c-4c3e-8a55-6c1f0d7be111"
FIRST = LogEntry(0, 7, 1_767_225_600_123, b"\x01" * 32, b"\x02" * 32, 1, NO_PREVIOUS)

hashes = st.binary(min_size=32, max_size=32)
u64 = st.integers(0, 2**64 - 1)
entries = st.builds(LogEntry, st.integers(0, 2**32 - 1), u64, u64, hashes, hashes, u64, hashes)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def test_an_entry_is_its_mark_and_seven_fields_in_network_order() -> None:
    expected = (
        b"handoff/entry/v1\n"
        + struct.pack(">I", 0)
        + struct.pack(">Q", 7)
        + struct.pack(">Q", 1_767_225_600_123)
        + b"\x01" * 32
        + b"\x02" * 32
        + struct.pack(">Q", 1)
        + bytes(32)
    )
    assert FIRST.pack() == expected
    assert len(expected) == ENTRY_BYTES == 141


def test_a_leaf_is_the_entry_hashed_behind_a_zero_byte_as_in_rfc_6962() -> None:
    assert FIRST.leaf_hash() == leaf_hash(FIRST.pack()) == sha256(b"\x00", FIRST.pack())


def test_a_case_tag_is_the_marked_hash_of_salt_and_record_key() -> None:
    salt = sha256(b"the first event")
    assert case_tag(KEY, salt) == sha256(b"handoff/tag/v2\n", salt, KEY)
    assert case_tag(None, salt) == case_tag(b"", salt)


def test_a_record_hash_nests_the_hashes_of_value_and_headers() -> None:
    headers = (("signature", b"\xaa" * 64), ("key-id", b"k"))
    header_bytes = (
        struct.pack(">I", 2)
        + struct.pack(">I", 9) + b"signature" + struct.pack(">I", 64) + b"\xaa" * 64
        + struct.pack(">I", 6) + b"key-id" + struct.pack(">I", 1) + b"k"
    )  # fmt: skip
    expected = sha256(b"handoff/record/v1\n", struct.pack(">I", len(KEY)), KEY, sha256(b"value"), sha256(header_bytes))
    assert record_hash(KEY, b"value", headers) == expected


def test_a_null_key_or_header_value_is_not_an_empty_one() -> None:
    nothing = sha256(struct.pack(">I", 0))
    assert record_hash(None, b"", ()) == sha256(b"handoff/record/v1\n", b"\xff" * 4, sha256(b""), nothing)
    assert record_hash(None, b"", ()) != record_hash(b"", b"", ())
    assert record_hash(b"", b"", (("a", None),)) != record_hash(b"", b"", (("a", b""),))


def test_known_answers_never_change() -> None:
    """A bundle written today must always verify, so the hashes of fixed inputs are constants."""
    assert record_hash(KEY, b"{}", (("key-id", b"k"),)).hex() == (
        "b7e0f2e9d0be0d2c49f965dc6d03c5eb31376e4648dab709a5bb4a8d0e9d1b31"
    )
    assert FIRST.leaf_hash().hex() == "684a3f0a68a1880acf76abc3fa3ebb979a33f29b4a3ac3128f6fba87ebc832d2"


@given(entries)
def test_unpacking_gives_back_what_was_packed(entry: LogEntry) -> None:
    assert LogEntry.unpack(entry.pack()) == entry


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_as_no_entry(noise: bytes) -> None:
    with pytest.raises(MalformedEntry):
        LogEntry.unpack(noise)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_refused_rather_than_padded(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        LogEntry(0, 0, 0, b"\x01" * length, b"\x02" * 32, 1, NO_PREVIOUS).pack()


@given(
    st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8)), max_size=4),
    st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8)), max_size=4),
)
def test_different_headers_give_different_record_hashes(
    one: list[tuple[str, bytes | None]], other: list[tuple[str, bytes | None]]
) -> None:
    assert (record_hash(KEY, b"v", tuple(one)) == record_hash(KEY, b"v", tuple(other))) is (one == other)
