"""A record's log as the test keeps it: leaves of its own choice, checkpoints of them, cosigners, a trust file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from handoff.proof.log import tree_proofs
from handoff.proof.log.checkpoint import (
    Checkpoint,
    Origin,
    TreeHead,
    cosign,
    cosigned_at,
    cosigner_key,
    log_key,
    open_checkpoint,
    sign_checkpoint,
)
from handoff.proof.log.entry import leaf_hash
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.note import Note, NoteKey
from handoff.proof.log.receipt import Receipt, sign_receipt
from handoff.proof.log.tiles import node_reader
from handoff.proof.log.witness import AddCheckpoint
from handoff.proof.verify.trust import TrustedLog, TrustPolicy, write_trust
from handoff.record.delivery import EFFECTIVE, Verdict
from handoff.record.envelope import Identity
from handoff.record.signing import SigningKey
from tests.support.dsl.builders import T0, key_of

LOG = key_of("the log")
LEAVES = tuple(leaf_hash(bytes([n])) for n in range(40))
FORK = (*LEAVES[:5], leaf_hash(b"another"), *LEAVES[6:])


@dataclass(frozen=True)
class PlayedLog:
    """The log of ``jurisdiction``, in the projection's place; ``agencies`` and the monitor may cosign."""

    jurisdiction: str
    agencies: tuple[str, ...] = ("police", "shelter")
    generation: int = 1
    """Logs of other generations share the topic and mean nothing to each other."""

    @property
    def origin(self) -> Origin:
        return Origin(self.jurisdiction, self.generation)

    @property
    def key(self) -> NoteKey:
        return log_key(self.origin, LOG.public_key)

    def cosigner(self, name: str) -> NoteKey:
        """The public key of one who cosigns."""
        return cosigner_key(self.jurisdiction, name, witness_key(name).public_key)

    @property
    def trust_text(self) -> str:
        """The trust file: the monitor and a majority of the agencies."""
        log = TrustedLog(self.key, "ab" * 32)
        majority = len(self.agencies) // 2 + 1
        return write_trust([log], self.cosigner("monitor"), map(self.cosigner, self.agencies), majority)

    @property
    def trust(self) -> TrustPolicy:
        return TrustPolicy.parse(self.trust_text.encode())

    def write_trust_file(self, directory: Path) -> Path:
        """The trust file's path."""
        path = directory / "trust.policy"
        path.write_text(self.trust_text)
        return path

    def head(self, size: int, leaves: Sequence[bytes] = LEAVES) -> TreeHead:
        """The head of the first ``size`` leaves."""
        return TreeHead(size, Frontier().extended(leaves[:size])[0].root)

    def note(self, size: int, leaves: Sequence[bytes] = LEAVES) -> Note:
        """The checkpoint of that head, signed by the log."""
        return sign_checkpoint(Checkpoint(self.origin, self.head(size, leaves)), LOG)

    def request(self, old: int, size: int, leaves: Sequence[bytes] = LEAVES) -> AddCheckpoint:
        """Return the request that the log publishes when it has grown from ``old`` to ``size``."""
        read = node_reader(lambda _level, _number: b"".join(leaves))
        proof = tree_proofs.build_proof(tree_proofs.consistency_path(old, size), read)
        return AddCheckpoint(old, proof, str(self.note(size, leaves)).encode())

    def cosigned(self, request: AddCheckpoint, *names: str, at: datetime = T0) -> AddCheckpoint:
        """``request`` as these cosigners would publish it together."""
        note = Note.parse(request.note)
        signatures = [cosign(note, self.cosigner(name), witness_key(name), at) for name in names]
        return AddCheckpoint(request.old_size, request.proof, str(note.signed(*signatures)).encode())

    def cosigners(self, body: bytes) -> dict[str, TreeHead]:
        """Return the cosigners of a published body's checkpoint, and its head."""
        opened = open_checkpoint(AddCheckpoint.parse(body).note, self.key)
        names = (*self.agencies, "monitor")
        return {name: opened.head for name in names if cosigned_at(opened.note, self.cosigner(name)) is not None}

    def receipt(
        self, event: Identity, record_hash: bytes, size: int, *, verdict: Verdict = EFFECTIVE, rules: int = 1
    ) -> bytes:
        """The log's receipt for an entry."""
        return str(sign_receipt(Receipt(self.origin, size, record_hash, event, rules, verdict), LOG)).encode()


def witness_key(name: str) -> SigningKey:
    """The private key with which a member cosigns."""
    return key_of(f"{name} as a witness")


def bodies(requests: Iterable[AddCheckpoint], first: int = 0) -> list[tuple[int, bytes]]:
    """Requests as they lie on the topic from the offset ``first`` on."""
    return [(first + at, request.encode()) for at, request in enumerate(requests)]
