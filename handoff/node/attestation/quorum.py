"""Collection of cosignatures until a checkpoint reaches the quorum of a node's trust policy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from handoff import telemetry
from handoff.node.attestation.witness import Value
from handoff.proof.log.checkpoint import (
    Checkpoint,
    NotSignedByLog,
    Origin,
    SignedCheckpoint,
    cosignature,
    open_checkpoint,
    without_cosignatures,
)
from handoff.proof.log.note import InvalidSignature, MalformedNote, Note, NoteSignature
from handoff.proof.log.verifiers import NoteVerifier
from handoff.proof.log.witness import AddCheckpoint
from handoff.proof.verify.trust import TrustPolicy
from handoff.wakeup import Wakeup

log = structlog.get_logger(__name__)

# Heads that never reach the quorum are dropped; a later head covers the same entries.
_MAX_HEADS = 32


@dataclass(frozen=True, slots=True)
class ProvenCheckpoint:
    """A checkpoint with a quorum: size, note, and the offset from which to continue reading."""

    size: int = 0
    note: bytes = b""
    offset: int = 0


class ProvenCheckpointStore(Protocol):
    """Store of the largest proven checkpoint. Every method may raise ``StoreUnavailable`` and is safe to retry."""

    async def proven(self) -> ProvenCheckpoint:
        """Return the largest stored checkpoint."""

    async def prove(self, proven: ProvenCheckpoint) -> None:
        """Store ``proven`` unless a larger checkpoint is stored."""


@dataclass
class QuorumTracker:
    """Largest checkpoint with a quorum; ``proved`` signals every growth."""

    store: ProvenCheckpointStore
    current_trust: Callable[[], TrustPolicy]
    origin: Origin
    proved: Wakeup
    proven: ProvenCheckpoint = field(default_factory=ProvenCheckpoint, init=False)
    _cosignatures: dict[str, dict[str, NoteSignature]] = field(default_factory=dict, init=False)
    _trust: TrustPolicy = field(init=False)

    def __post_init__(self) -> None:
        self._trust = self.current_trust()

    @property
    def log(self) -> NoteVerifier:
        """Keys of the record's log."""
        return self.current_trust().logs[str(self.origin)].key

    async def begin(self) -> int:
        """Load the stored state. Return the offset to read from."""
        self.proven = await self.store.proven()
        self.proved.notify()
        return self.proven.offset

    async def process(self, values: Sequence[Value]) -> None:
        """Process values of the checkpoints topic. Idempotent. Raises ``StoreUnavailable``."""
        self._renew_trust()
        for offset, body in values:
            try:
                raw = AddCheckpoint.parse(body).note
                # Most values repeat a head that is already proven.
                if _size(Note.parse(raw).text) > self.proven.size:
                    await self._collect(open_checkpoint(raw, self.log), offset)
            except (MalformedNote, NotSignedByLog, InvalidSignature) as error:
                log.debug("quorum.value_skipped", offset=offset, why=type(error).__name__)

    def _renew_trust(self) -> None:
        """Collect from the next value on under a renewed policy. The next checkpoint covers what was collected."""
        trust = self.current_trust()
        if trust != self._trust:
            self._trust = trust
            self._cosignatures.clear()

    async def _collect(self, opened: SignedCheckpoint, offset: int) -> None:
        note = opened.note
        genuine = self._genuine(note)
        self._drop_smallest()
        known = self._cosignatures.setdefault(note.text, {})
        known.update(genuine)
        if self._trust.quorum.is_met_by(frozenset(known)):
            proven = without_cosignatures(note, self.log).signed(*known.values())
            await self._prove(ProvenCheckpoint(opened.head.size, str(proven).encode(), offset))

    def _genuine(self, note: Note) -> dict[str, NoteSignature]:
        """Return the cosignatures by trusted witnesses. Raises ``InvalidSignature`` if one does not verify."""
        cosigned = ((name, cosignature(note, witness)) for name, witness in self._trust.witnesses.items())
        return {name: found.line for name, found in cosigned if found is not None}

    async def _prove(self, proven: ProvenCheckpoint) -> None:
        await self.store.prove(proven)
        self.proven = proven
        telemetry.PROVEN_SIZE.set(proven.size)
        self._cosignatures = {text: known for text, known in self._cosignatures.items() if _size(text) > proven.size}
        self.proved.notify()

    def _drop_smallest(self) -> None:
        for text in sorted(self._cosignatures, key=_size)[: -_MAX_HEADS + 1]:
            del self._cosignatures[text]


def _size(text: str) -> int:
    return Checkpoint.parse(text).head.size
