"""What a witness does with a checkpoint: it moves on to a head that its own has grown into, or says why not.

A witness stores the head that it moves on to, where its old one still stands, and only then cosigns: so ``consider``
gives an ``Advance``, which alone can be cosigned. Source: C2SP tlog-witness.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from handoff.proof.log import checkpoint as cp
from handoff.proof.log.checkpoint import NO_HEAD, Head, SignedCheckpoint, open_checkpoint
from handoff.proof.log.merkle import NotProven, Proof, verify_consistency
from handoff.proof.log.note import NotANote, Note, NoteKey, NoteSignature, decimal, decode_base64, encode_base64
from handoff.record.signing import SigningKey

_MOST_PROOF_LINES: Final = 63


class Refused(Exception):
    """A checkpoint that is not cosigned."""


class Passed(Refused):
    """It is smaller than the witness's own head: an old one, come late. Go on with the next."""


class Missed(Refused):
    """It is proven from another size than the witness's: ask for a proof from ``size``."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the proof must begin at {size}")
        self.size = size


class Inconsistent(Refused):
    """Its proof does not lead from the witness's head to it: alarm, and keep it as evidence."""


class Forked(Refused):
    """Two heads of one size, both signed by the log, with different roots: alarm, and keep both as evidence."""


class Forgotten(Exception):
    """The witness's own state is behind what it cosigned: stop, and restore the state before any other cosignature."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign: the size that the proof begins at, the proof, and the checkpoint's note."""

    old_size: int
    proof: Proof
    note: bytes

    def encode(self) -> bytes:
        """The body of an ``add-checkpoint`` request."""
        lines = [f"old {self.old_size}", *map(encode_base64, self.proof), "", ""]
        return "\n".join(lines).encode() + self.note

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """The request in ``body``; raises ``NotANote``."""
        head, separator, note = body.partition(b"\n\n")
        old, *proof = head.decode("utf-8", "replace").split("\n")
        if not separator or not old.startswith("old ") or len(proof) > _MOST_PROOF_LINES:
            raise NotANote("not a request to cosign a checkpoint")
        return cls(decimal(old.removeprefix("old ")), tuple(map(decode_base64, proof)), note)


@dataclass(frozen=True, slots=True)
class Advance:
    """A step that a witness may take: store ``after`` where ``before`` stands, commit, and only then ``cosign``."""

    before: Head
    after: Head
    note: Note

    def cosign(self, key: NoteKey, private: SigningKey, at: datetime) -> NoteSignature:
        """The cosignature to publish."""
        return cp.cosign(self.note, key, private, at)


def consider(own: Head, request: AddCheckpoint, log: NoteKey) -> Advance:
    """What the witness whose head is ``own`` may do about ``request``.

    Raises ``Refused`` by kind, and what ``open_checkpoint`` raises where the log's signature is not there.
    """
    opened = open_checkpoint(request.note, log)
    if opened.head == own:
        # Nothing is left to prove: a witness that was stopped between storing and cosigning goes on here.
        return Advance(own, own, opened.note)
    _check_sizes(own, request, opened.head)
    _check_growth(own, opened.head, request.proof)
    return Advance(own, opened.head, opened.note)


def _check_sizes(own: Head, request: AddCheckpoint, offered: Head) -> None:
    if offered.size == own.size:
        raise Forked(f"two roots of size {own.size}")
    if offered.size < own.size:
        raise Passed(f"size {offered.size} is behind {own.size}")
    if request.old_size != own.size:
        raise Missed(own.size)


def _check_growth(own: Head, offered: Head, proof: Proof) -> None:
    if own.size == 0:
        if proof:
            raise Inconsistent("any tree began as the empty one: a proof of that is none")
        return
    try:
        verify_consistency(own.size, offered.size, own.root, proof, offered.root)
    except NotProven as error:
        raise Inconsistent(f"size {offered.size} is not shown to have grown from {own.size}: {error}") from error


def check_memory(own: Head, published: Iterable[SignedCheckpoint], key: NoteKey) -> None:
    """Whether a witness may start: raises ``Forgotten`` where it cosigned more than it remembers."""
    cosigned = (opened.head for opened in published if cp.cosigned_at(opened.note, key) is not None)
    largest = max(cosigned, key=lambda head: head.size, default=NO_HEAD)
    if largest.size > own.size or (largest.size == own.size and largest.root != own.root):
        raise Forgotten(f"the stored head has size {own.size}, and {largest.size} was cosigned")
