"""Decision of a witness about a checkpoint: advance to a consistent larger head, or refuse with the reason.

A witness stores the new head with compare-and-set before it cosigns. So ``evaluate_request`` returns a
``HeadUpdate``, and only that can be cosigned. Source: C2SP tlog-witness.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from handoff.proof.log import checkpoint as cp
from handoff.proof.log.checkpoint import EMPTY_TREE_HEAD, SignedCheckpoint, TreeHead, open_checkpoint
from handoff.proof.log.merkle import NotProven, Proof, verify_consistency
from handoff.proof.log.note import (
    MAX_NOTE_BYTES,
    MalformedNote,
    Note,
    NoteSignature,
    decimal,
    decode_base64,
    encode_base64,
)
from handoff.proof.log.signer import Cosigner
from handoff.proof.log.verifiers import NoteVerifier

_MOST_PROOF_LINES: Final = 63
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + (_MOST_PROOF_LINES + 2) * 64


class CosignatureRefused(Exception):
    """The witness does not cosign this checkpoint."""


class StaleCheckpoint(CosignatureRefused):
    """The checkpoint is smaller than the witness's own head: it arrived late. Skip it."""


class ProofSizeMismatch(CosignatureRefused):
    """The proof begins at another size than the witness's head: request a proof from ``size``."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the proof must begin at {size}")
        self.size = size


class InconsistentCheckpoint(CosignatureRefused):
    """The proof does not lead from the witness's head to the checkpoint: raise an alarm and keep it as evidence."""


class ForkedCheckpoint(CosignatureRefused):
    """Two roots of one size, both signed by the log: raise an alarm and keep both as evidence."""


class WitnessStateLost(Exception):
    """The stored head is behind a published cosignature: stop, and restore the state before the next cosignature."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign: size at which the proof begins, consistency proof, and the checkpoint's note."""

    old_size: int
    proof: Proof
    note: bytes

    def encode(self) -> bytes:
        """Encode as the body of an ``add-checkpoint`` request."""
        lines = [f"old {self.old_size}", *map(encode_base64, self.proof), "", ""]
        return "\n".join(lines).encode() + self.note

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the body of an ``add-checkpoint`` request. Raises ``MalformedNote``."""
        if len(body) > MAX_REQUEST_BYTES:
            raise MalformedNote(f"{len(body)} bytes exceed the limit of {MAX_REQUEST_BYTES} for a request to cosign")
        head, separator, note = body.partition(b"\n\n")
        old, *proof = head.decode("utf-8", "replace").split("\n")
        if not separator or not old.startswith("old ") or len(proof) > _MOST_PROOF_LINES:
            raise MalformedNote("not a request to cosign a checkpoint")
        return cls(decimal(old.removeprefix("old ")), tuple(map(decode_base64, proof)), note)


@dataclass(frozen=True, slots=True)
class HeadUpdate:
    """A permitted update of the stored head: replace ``before`` by ``after``, commit, and only then ``cosign``."""

    before: TreeHead
    after: TreeHead
    note: Note

    def cosign(self, cosigner: Cosigner, at: datetime) -> tuple[NoteSignature, ...]:
        """Return the cosignatures to publish, one by each key of the cosigner."""
        return cosigner.sign(self.note, at)


def evaluate_request(own: TreeHead, request: AddCheckpoint, log: NoteVerifier) -> HeadUpdate:
    """Evaluate ``request`` for a witness whose head is ``own``.

    Raises a subclass of ``CosignatureRefused``, and what ``open_checkpoint`` raises if the log's signature is missing.
    """
    opened = open_checkpoint(request.note, log)
    if opened.head == own:
        # A witness that stopped between storing and cosigning resumes here: nothing is left to prove.
        return HeadUpdate(own, own, opened.note)
    _check_sizes(own, request, opened.head)
    _check_growth(own, opened.head, request.proof)
    return HeadUpdate(own, opened.head, opened.note)


def _check_sizes(own: TreeHead, request: AddCheckpoint, offered: TreeHead) -> None:
    if offered.size == own.size:
        raise ForkedCheckpoint(f"two roots of size {own.size}")
    if offered.size < own.size:
        raise StaleCheckpoint(f"size {offered.size} is behind {own.size}")
    if request.old_size != own.size:
        raise ProofSizeMismatch(own.size)


def _check_growth(own: TreeHead, offered: TreeHead, proof: Proof) -> None:
    if own.size == 0:
        if proof:
            raise InconsistentCheckpoint("every tree extends the empty tree: the proof must be empty")
        return
    try:
        verify_consistency(own.size, offered.size, own.root, proof, offered.root)
    except NotProven as error:
        raise InconsistentCheckpoint(f"size {offered.size} is not proven to extend {own.size}: {error}") from error


def check_witness_state(own: TreeHead, published: Iterable[SignedCheckpoint], cosigner: NoteVerifier) -> None:
    """Check that a witness may start. Raises ``WitnessStateLost`` if it cosigned a head beyond the stored one."""
    cosigned = (opened.head for opened in published if cp.cosigned_at(opened.note, cosigner) is not None)
    largest = max(cosigned, key=lambda head: head.size, default=EMPTY_TREE_HEAD)
    if largest.size > own.size or (largest.size == own.size and largest.root != own.root):
        raise WitnessStateLost(f"the stored head has size {own.size}, and {largest.size} was cosigned")
