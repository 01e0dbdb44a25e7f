"""The exchange's proof of a delivery: each entry of a batch verifies alone, and only as it was signed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.proof.log.delivery_chain import DeliveryProof, MalformedProof, chain_hash, delivered_facts, sign_batch
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import NotProven, verify_inclusion
from handoff.record import formats, signing
from handoff.record.delivery import EFFECTIVE, Delivery, ineffective
from handoff.record.message import Message
from tests.support.dsl.builders import T0, after, key_of

_KEY = key_of("exchange")
_FIRST = bytes(32)
_CONTENT = bytes(range(32))
_DELIVERY = Delivery(7, T0, ineffective("requested"), Message(b"k", b"v"))


def _link(member: str, delivery: Delivery, content: bytes, previous: bytes) -> bytes:
    facts = delivered_facts(delivery.record_time, delivery.verdict, content)
    return chain_hash(member, delivery.sequence, facts, previous)


def _batch(size: int) -> list[bytes]:
    chain = [_FIRST]
    for sequence in range(1, size + 1):
        chain.append(_link("shelter", replace(_DELIVERY, sequence=sequence), _CONTENT, chain[-1]))
    return chain[1:]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100, 500])
def test_each_entry_of_a_batch_verifies_alone(size: int) -> None:
    leaves = _batch(size)
    for leaf, packed in zip(leaves, sign_batch(leaves, _KEY), strict=True):
        proof = DeliveryProof.unpack(packed)
        assert proof.contains(leaf)
        assert signing.verifies(_KEY.public_key, proof.root, proof.signature, formats.DELIVERY_ROOT)
        assert not proof.contains(_link("shelter", _DELIVERY, _CONTENT, leaf))


def test_an_empty_batch_has_no_proofs() -> None:
    assert sign_batch([], _KEY) == []


@pytest.mark.parametrize("size", [1, 2, 11, 300])
def test_the_root_is_that_of_the_log_s_tree(size: int) -> None:
    """``Frontier`` is compared with an independent implementation of RFC 6962 elsewhere."""
    leaves = _batch(size)
    assert DeliveryProof.unpack(sign_batch(leaves, _KEY)[0]).root == Frontier().extended(leaves)[0].root


@pytest.mark.parametrize(
    "other",
    [
        replace(_DELIVERY, sequence=8),
        replace(_DELIVERY, record_time=after(days=1)),
        replace(_DELIVERY, verdict=EFFECTIVE),
        replace(_DELIVERY, verdict=ineffective("opened")),
    ],
)
def test_every_part_of_a_statement_counts(other: Delivery) -> None:
    known = _link("shelter", _DELIVERY, _CONTENT, _FIRST)
    assert _link("shelter", other, _CONTENT, _FIRST) != known
    assert _link("police", _DELIVERY, _CONTENT, _FIRST) != known
    assert _link("shelter", _DELIVERY, bytes(32), _FIRST) != known
    assert _link("shelter", _DELIVERY, _CONTENT, known) != known


@given(st.binary(max_size=400))
def test_any_bytes_are_a_proof_in_one_form_or_none(packed: bytes) -> None:
    try:
        assert DeliveryProof.unpack(packed).pack() == packed
    except MalformedProof:
        return


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 41), st.integers(-1, 1))
def test_a_path_is_accepted_exactly_where_the_log_s_verifier_accepts_it(
    size: int, place: int, index: int, grown: int
) -> None:
    """Two ways to verify an inclusion proof agree, for true and for false positions and sizes."""
    leaves = _batch(size)
    proof = DeliveryProof.unpack(sign_batch(leaves, _KEY)[place % size])
    moved = replace(proof, index=index, size=max(size + grown, 0))
    try:
        verify_inclusion(moved.index, moved.size, leaves[place % size], moved.path, moved.root)
        accepted = True
    except NotProven:
        accepted = False
    assert moved.contains(leaves[place % size]) == accepted
