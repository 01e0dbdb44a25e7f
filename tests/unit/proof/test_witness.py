"""A witness moves on only to what its own head has grown into, stores that first, and notices what it forgot."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from handoff.proof.log import tree_proofs
from handoff.proof.log.checkpoint import (
    EMPTY_TREE_HEAD,
    Checkpoint,
    NotSignedByLog,
    Origin,
    SignedCheckpoint,
    TreeHead,
    cosigned_at,
    cosigner_key,
    log_key,
    open_checkpoint,
    sign_checkpoint,
)
from handoff.proof.log.entry import leaf_hash
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import Proof
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.signer import Cosigner
from handoff.proof.log.tiles import node_reader
from handoff.proof.log.witness import (
    AddCheckpoint,
    ForkedCheckpoint,
    HeadUpdate,
    InconsistentCheckpoint,
    ProofSizeMismatch,
    StaleCheckpoint,
    WitnessStateLost,
    check_witness_state,
    evaluate_request,
)
from tests.support.dsl.builders import key_of

ORIGIN = Origin("prizren", 1)
LOG = key_of("log")
KEY = log_key(ORIGIN, LOG.public_key)
OWN = key_of("police as a witness")
OWN_KEY = cosigner_key("prizren", "police", OWN.public_key)
COSIGNER = Cosigner.of("prizren", "police", OWN)
AT = datetime(2026, 1, 5, 22, 40, tzinfo=UTC)
LEAVES = tuple(leaf_hash(bytes([n])) for n in range(20))
FORK = (*LEAVES[:5], leaf_hash(b"another"), *LEAVES[6:])


def head(size: int, leaves: tuple[bytes, ...] = LEAVES) -> TreeHead:
    return TreeHead(size, Frontier().extended(leaves[:size])[0].root)


def proof(old: int, size: int, leaves: tuple[bytes, ...] = LEAVES) -> Proof:
    read = node_reader(lambda _level, _number: b"".join(leaves))
    return tree_proofs.build_proof(tree_proofs.consistency_path(old, size), read)


def request(old: int, size: int, leaves: tuple[bytes, ...] = LEAVES) -> AddCheckpoint:
    note = sign_checkpoint(Checkpoint(ORIGIN, head(size, leaves)), LOG)
    return AddCheckpoint(old, proof(old, size, leaves), str(note).encode())


def cosigned(size: int, leaves: tuple[bytes, ...] = LEAVES) -> SignedCheckpoint:
    advance = HeadUpdate(
        EMPTY_TREE_HEAD, head(size, leaves), sign_checkpoint(Checkpoint(ORIGIN, head(size, leaves)), LOG)
    )
    note = advance.note.signed(*advance.cosign(COSIGNER, AT))
    return open_checkpoint(str(note).encode(), KEY)


@pytest.mark.parametrize(("old", "size"), [(0, 0), (0, 1), (0, 13), (1, 2), (7, 7), (7, 8), (8, 20), (13, 20)])
def test_a_witness_moves_on_to_what_has_grown(old: int, size: int) -> None:
    advance = evaluate_request(head(old), request(old, size), KEY)
    assert (advance.before, advance.after) == (head(old), head(size))


def test_only_a_step_that_was_considered_is_cosigned() -> None:
    """The step names what to store first, and where: compare and set, then cosign."""
    advance = evaluate_request(head(7), request(7, 13), KEY)
    note = advance.note.signed(*advance.cosign(COSIGNER, AT))
    assert cosigned_at(note, OWN_KEY) == AT
    assert Checkpoint.parse(note.text).head == advance.after


def test_a_forked_head_of_the_same_size_is_evidence() -> None:
    for old in (0, 7, 13):
        with pytest.raises(ForkedCheckpoint):
            evaluate_request(head(13), request(old, 13, FORK), KEY)


def test_a_forked_head_of_a_larger_size_does_not_follow() -> None:
    with pytest.raises(InconsistentCheckpoint):
        evaluate_request(head(7), request(7, 13, FORK), KEY)


@pytest.mark.parametrize(("old", "size"), [(7, 13), (7, 8)])
def test_a_bad_proof_moves_no_witness(old: int, size: int) -> None:
    honest = request(old, size)
    for changed in ((), (*honest.proof, bytes(32)), (bytes(32), *honest.proof[1:]), honest.proof[::-1]):
        if changed != honest.proof:
            with pytest.raises(InconsistentCheckpoint):
                evaluate_request(head(old), replace(honest, proof=changed), KEY)


def test_a_proof_from_nothing_is_empty() -> None:
    with pytest.raises(InconsistentCheckpoint):
        evaluate_request(EMPTY_TREE_HEAD, replace(request(0, 5), proof=(bytes(32),)), KEY)


def test_an_empty_tree_has_one_root() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, TreeHead(0, bytes(32))), LOG)
    with pytest.raises(ForkedCheckpoint):
        evaluate_request(EMPTY_TREE_HEAD, AddCheckpoint(0, (), str(note).encode()), KEY)


def test_a_witness_that_lags_asks_for_a_proof_from_its_own_size() -> None:
    with pytest.raises(ProofSizeMismatch) as missed:
        evaluate_request(head(7), request(8, 13), KEY)
    assert missed.value.size == 7


def test_a_lagging_witness_walks_from_its_own_size_over_what_is_kept() -> None:
    """Requests are never deleted, and each is proven from the one before."""
    own = head(2)
    for step in (request(1, 2), request(2, 7), request(7, 7), request(7, 20)):
        own = evaluate_request(own, step, KEY).after
    assert own == head(20)


def test_a_request_behind_the_cosigned_head_is_skipped() -> None:
    with pytest.raises(StaleCheckpoint):
        evaluate_request(head(13), request(1, 7), KEY)


def test_only_the_logs_own_word_is_considered() -> None:
    forged = sign_checkpoint(Checkpoint(ORIGIN, head(8)), key_of("somebody"))
    with pytest.raises(NotSignedByLog):
        evaluate_request(head(7), AddCheckpoint(7, proof(7, 8), str(forged).encode()), KEY)
    changed = request(7, 8).note.replace(b"\n8\n", b"\n9\n")
    with pytest.raises(InvalidSignature):
        evaluate_request(head(7), AddCheckpoint(7, proof(7, 8), changed), KEY)


def test_a_request_is_the_body_of_add_checkpoint() -> None:
    asked = request(7, 13)
    lines = asked.encode().split(b"\n")
    assert lines[0] == b"old 7"
    assert lines[len(asked.proof) + 1] == b""
    assert lines[len(asked.proof) + 2] == b"handoff/prizren/record/1"
    assert AddCheckpoint.parse(asked.encode()) == asked
    assert AddCheckpoint.parse(request(0, 5).encode()) == request(0, 5)


@pytest.mark.parametrize(
    "body",
    [
        b"\n".join([b"old 1", *[b"AAAA"] * 64, b"", b""]),
        b"",
        b"old 7\n",
        b"old 07\n\n",
        b"new 7\n\n",
        b"old 7\nnot base64\n\n",
        b"old -1\n\n",
        b"old 1\n" * 70 + b"\n",
    ],
)
def test_an_invalid_witness_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedNote):
        AddCheckpoint.parse(body)


def test_a_witness_that_remembers_what_it_cosigned_may_start() -> None:
    check_witness_state(head(13), [cosigned(7), cosigned(13)], OWN_KEY)
    check_witness_state(head(20), [cosigned(13)], OWN_KEY)
    check_witness_state(EMPTY_TREE_HEAD, [], OWN_KEY)


def test_a_witness_with_state_older_than_its_cosignature_does_not_start() -> None:
    """Restored from a backup, it could be shown a fork that it had already ruled out."""
    with pytest.raises(WitnessStateLost):
        check_witness_state(head(7), [cosigned(7), cosigned(13)], OWN_KEY)


def test_a_witness_that_cosigned_another_head_of_its_size_does_not_start() -> None:
    with pytest.raises(WitnessStateLost):
        check_witness_state(head(13), [cosigned(13, FORK)], OWN_KEY)


def test_cosignatures_of_others_do_not_bind_a_witness() -> None:
    other = cosigner_key("prizren", "csw", key_of("csw as a witness").public_key)
    check_witness_state(head(7), [cosigned(13)], other)


def test_a_witness_that_crashed_between_storing_and_cosigning_cosigns_the_same_again() -> None:
    """The witness's state has advanced, and the request still names the size from which it was made."""
    asked = request(7, 13)
    stored = evaluate_request(head(7), asked, KEY).after
    again = evaluate_request(stored, asked, KEY)
    assert (again.before, again.after) == (stored, stored)
