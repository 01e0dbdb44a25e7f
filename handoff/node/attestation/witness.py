"""Witness: follows the record's checkpoints and cosigns consistent extensions of its head. It does no I/O itself.

A head is stored with compare-and-set before it is cosigned. A process killed in between cosigns the same head
again, and two processes of one member never cosign two histories.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from handoff import telemetry
from handoff.node.ports import Clock
from handoff.proof.log.checkpoint import (
    EMPTY_TREE_HEAD,
    NotSignedByLog,
    SignedCheckpoint,
    TreeHead,
    cosigned_at,
    open_checkpoint,
    without_cosignatures,
)
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.signer import Cosigner
from handoff.proof.log.verifiers import NoteVerifier
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

log = structlog.get_logger(__name__)

Value = tuple[int, bytes]
"""A value of the topic `checkpoints`, behind its offset."""
Publish = Callable[[AddCheckpoint], Awaitable[None]]
Examine = Callable[[TreeHead], Awaitable[None]]

_MALFORMED = (MalformedNote, NotSignedByLog, InvalidSignature)


@dataclass(frozen=True, slots=True)
class WitnessState:
    """Stored state of a witness: tree head, the log's note, and the offset of the request that led to it."""

    head: TreeHead = EMPTY_TREE_HEAD
    note: bytes = b""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence against the log: the note of the own head, and a request inconsistent with it."""

    why: str
    own: bytes
    offered: bytes
    at: datetime


class WitnessStore(Protocol):
    """Store of a witness's head. Every method may raise ``StoreUnavailable`` and is safe to retry."""

    async def state(self) -> WitnessState:
        """Return the stored head."""

    async def advance(self, before: TreeHead, after: WitnessState) -> bool:
        """Replace ``before`` by ``after`` durably (compare-and-set). Return False if another head is stored."""

    async def store_evidence(self, evidence: Evidence) -> None:
        """Store evidence. Idempotent."""

    async def halting_evidence(self) -> str | None:
        """Return the reason why cosigning has stopped; None without evidence."""


class WitnessHalted(Exception):
    """The witness must not cosign until an operator intervenes: stop it and raise an alarm; the node continues."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class WitnessBehind(Exception):
    """The request that continues the witness's head is earlier on the topic: read the topic from its beginning."""


class RootMismatch(Exception):
    """The log's root differs from the root recomputed from the record."""


async def accept_any_root(_head: TreeHead) -> None:
    """Accept any root. An agency cannot recompute it; the monitor does."""


_EVIDENCE: Mapping[type[Exception], str] = {
    ForkedCheckpoint: "forked",
    InconsistentCheckpoint: "inconsistent",
    RootMismatch: "differs",
}
"""Codes under which evidence against the log is stored, logged and counted."""


@dataclass
class Witness:
    """Cosigner of one log. ``examine`` raises ``RootMismatch`` if a head is not the record's."""

    store: WitnessStore
    log: NoteVerifier
    cosigner: Cosigner
    publish: Publish
    clock: Clock
    examine: Examine = accept_any_root
    standing: WitnessState = field(default_factory=WitnessState, init=False)
    _reread_from: TreeHead | None = field(default=None, init=False)

    async def begin(self) -> int:
        """Load the stored state. Return the offset to read from. Raises ``WitnessHalted`` if evidence is stored."""
        if (why := await self.store.halting_evidence()) is not None:
            raise WitnessHalted(why)
        self.state = await self.store.state()
        return self.state.offset

    async def confirm(self) -> None:
        """Examine the stored head again, because the record may have changed since. Raises ``WitnessHalted``."""
        try:
            await self.examine(self.state.head)
        except RootMismatch as error:
            await self._record_evidence(error, self.state.note)

    def check_published(self, values: Sequence[Value]) -> None:
        """Check the topic at the start. Raises ``WitnessHalted`` if it cosigned a head beyond the stored one."""
        published = [opened for _, body in values if (opened := self.cosigned(body)) is not None]
        try:
            check_witness_state(self.state.head, published, self.cosigner)
        except WitnessStateLost as error:
            log.critical("witness.state_lost", size=self.state.head.size, why=str(error))
            raise WitnessHalted("forgotten") from error

    async def process(self, values: Sequence[Value]) -> None:
        """Advance along these requests, and cosign the last head once it is stored.

        Raises ``WitnessHalted``, ``WitnessBehind``, ``StoreUnavailable`` and what ``publish`` raises: then start again.
        """
        before, wanted = self.state.head, None
        for value in values:
            wanted = await self._evaluate(value) or wanted
        if wanted is None:
            return
        if not await self.store.advance(before, self.state):
            # Another process of this member advanced in the meantime.
            self.state = await self.store.state()
            return
        await self._cosign(*wanted)

    async def _evaluate(self, value: Value) -> tuple[AddCheckpoint, HeadUpdate] | None:
        """Return the request and its head update if it is to be cosigned."""
        offset, body = value
        try:
            request = AddCheckpoint.parse(body)
            step = evaluate_request(self.state.head, request, self.log)
            is_news = step.after != step.before
            # A note that repeats the head with other cosignatures is not a request.
            if not is_news and step.note != without_cosignatures(step.note, self.log):
                return None
            if is_news:
                await self.examine(step.after)
        except (StaleCheckpoint, *_MALFORMED) as error:
            log.debug("witness.request_skipped", offset=offset, why=type(error).__name__)
            return None
        except ProofSizeMismatch as error:
            self._check_behind(request, error)
            return None
        except (ForkedCheckpoint, InconsistentCheckpoint, RootMismatch) as error:
            await self._record_evidence(error, body)
            return None
        self.state = WitnessState(step.after, str(without_cosignatures(step.note, self.log)).encode(), offset)
        return request, step

    def _check_behind(self, request: AddCheckpoint, missed: ProofSizeMismatch) -> None:
        if request.old_size > missed.size and self._reread_from != self.state.head:
            self._reread_from = self.state.head
            raise WitnessBehind
        log.warning("witness.proof_size_mismatch", own=missed.size, old=request.old_size)

    async def _record_evidence(
        self, error: ForkedCheckpoint | InconsistentCheckpoint | RootMismatch, body: bytes
    ) -> None:
        """Store the evidence. An invalid proof may come from any cosigner; two signed heads prove a fork by the log."""
        why = _EVIDENCE[type(error)]
        await self.store.store_evidence(Evidence(why, self.state.note, body, self.clock()))
        log.critical("witness.inconsistency_found", why=why, size=self.state.head.size, found=str(error))
        if not isinstance(error, InconsistentCheckpoint):
            raise WitnessHalted(why) from error
        telemetry.WITNESS_ALARMS.labels(why).inc()

    async def _cosign(self, request: AddCheckpoint, step: HeadUpdate) -> None:
        note = without_cosignatures(step.note, self.log).signed(*step.cosign(self.cosigner, self.clock()))
        await self.publish(replace(request, note=str(note).encode()))
        telemetry.WITNESS_SIZE.set(step.after.size)
        # Once a cadence in every agency's node: the gauge shows it.
        log.debug("witness.cosigned", size=step.after.size)

    def cosigned(self, body: bytes) -> SignedCheckpoint | None:
        """Return the checkpoint in ``body`` if this witness has cosigned it."""
        try:
            opened = open_checkpoint(AddCheckpoint.parse(body).note, self.log)
            return opened if cosigned_at(opened.note, self.cosigner) is not None else None
        except _MALFORMED:
            return None

    def recover_state(self, values: Sequence[Value], known: WitnessState) -> WitnessState:
        """Return the largest head among ``known`` and the heads this witness cosigned on the topic."""
        for offset, body in values:
            opened = self.cosigned(body)
            if opened is not None and opened.head.size >= known.head.size:
                known = WitnessState(opened.head, str(without_cosignatures(opened.note, self.log)).encode(), offset)
        return known
