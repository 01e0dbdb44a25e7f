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
)
from handoff.proof.log.note import InvalidSignature, MalformedNote, Note, NoteKey
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
from handoff.record.signing import SigningKey

log = structlog.get_logger(__name__)

Value = tuple[int, bytes]
"""A value of the topic `checkpoints`, behind its offset."""
Publish = Callable[[AddCheckpoint], Awaitable[None]]
Examine = Callable[[TreeHead], Awaitable[None]]

_NONSENSE = (MalformedNote, NotSignedByLog, InvalidSignature)


@dataclass(frozen=True, slots=True)
class Standing:
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


class Memory(Protocol):
    """Store of a witness's head. Every method may raise ``StoreUnavailable`` and is safe to retry."""

    async def standing(self) -> Standing:
        """Return the stored head."""

    async def advance(self, before: TreeHead, after: Standing) -> bool:
        """Replace ``before`` by ``after`` durably (compare-and-set). Return False if another head is stored."""

    async def accuse(self, evidence: Evidence) -> None:
        """Store evidence. Idempotent."""

    async def accusation(self) -> str | None:
        """Return the reason why cosigning has stopped; None without evidence."""


class Halted(Exception):
    """The witness must not cosign until an operator intervenes: stop it and raise an alarm; the node continues."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Lagging(Exception):
    """The request that continues the witness's head is earlier on the topic: read the topic from its beginning."""


class Differs(Exception):
    """The log's root differs from the root recomputed from the record."""


async def believe(_head: TreeHead) -> None:
    """Accept any root. An agency cannot recompute it; the monitor does."""


_EVIDENCE: Mapping[type[Exception], str] = {
    ForkedCheckpoint: "forked",
    InconsistentCheckpoint: "inconsistent",
    Differs: "differs",
}
"""Codes under which evidence against the log is stored, logged and counted."""


@dataclass
class Witness:
    """Cosigner of one log. ``examine`` raises ``Differs`` if a head is not the record's."""

    memory: Memory
    log: NoteKey
    key: NoteKey
    private: SigningKey
    publish: Publish
    clock: Clock
    examine: Examine = believe
    standing: Standing = field(default_factory=Standing, init=False)
    _walked_from: TreeHead | None = field(default=None, init=False)

    async def begin(self) -> int:
        """Load the stored state. Return the offset to read from. Raises ``Halted`` if evidence is stored."""
        if (why := await self.memory.accusation()) is not None:
            raise Halted(why)
        self.standing = await self.memory.standing()
        return self.standing.offset

    async def confirm(self) -> None:
        """Examine the stored head again, because the record may have changed since. Raises ``Halted``."""
        try:
            await self.examine(self.standing.head)
        except Differs as error:
            await self._object(error, self.standing.note)

    def remember(self, values: Sequence[Value]) -> None:
        """Check the topic's values at the start. Raises ``Halted`` if a head beyond the stored one was cosigned."""
        published = [opened for _, body in values if (opened := self.cosigned(body)) is not None]
        try:
            check_witness_state(self.standing.head, published, self.key)
        except WitnessStateLost as error:
            log.critical("witness.state_lost", size=self.standing.head.size, why=str(error))
            raise Halted("forgotten") from error

    async def hear(self, values: Sequence[Value]) -> None:
        """Advance along these requests, and cosign the last head once it is stored.

        Raises ``Halted``, ``Lagging``, ``StoreUnavailable`` and the errors of ``publish``: then start again.
        """
        before, wanted = self.standing.head, None
        for value in values:
            wanted = await self._weigh(value) or wanted
        if wanted is None:
            return
        if not await self.memory.advance(before, self.standing):
            # Another process of this member advanced in the meantime.
            self.standing = await self.memory.standing()
            return
        await self._cosign(*wanted)

    async def _weigh(self, value: Value) -> tuple[AddCheckpoint, HeadUpdate] | None:
        """Return the request and its head update if it is to be cosigned."""
        offset, body = value
        try:
            request = AddCheckpoint.parse(body)
            step = evaluate_request(self.standing.head, request, self.log)
            is_news = step.after != step.before
            # A note that repeats the head with other cosignatures is not a request.
            if not is_news and len(step.note.signatures) > 1:
                return None
            if is_news:
                await self.examine(step.after)
        except (StaleCheckpoint, *_NONSENSE) as error:
            log.debug("witness.request_skipped", offset=offset, why=type(error).__name__)
            return None
        except ProofSizeMismatch as error:
            self._missed(request, error)
            return None
        except (ForkedCheckpoint, InconsistentCheckpoint, Differs) as error:
            await self._object(error, body)
            return None
        self.standing = Standing(step.after, str(_bare(step.note, self.log)).encode(), offset)
        return request, step

    def _missed(self, request: AddCheckpoint, missed: ProofSizeMismatch) -> None:
        if request.old_size > missed.size and self._walked_from != self.standing.head:
            self._walked_from = self.standing.head
            raise Lagging
        log.warning("witness.proof_size_mismatch", own=missed.size, old=request.old_size)

    async def _object(self, error: ForkedCheckpoint | InconsistentCheckpoint | Differs, body: bytes) -> None:
        """Store the evidence. An invalid proof may come from any cosigner; two signed heads prove a fork by the log."""
        why = _EVIDENCE[type(error)]
        await self.memory.accuse(Evidence(why, self.standing.note, body, self.clock()))
        log.critical("witness.inconsistency_found", why=why, size=self.standing.head.size, found=str(error))
        if not isinstance(error, InconsistentCheckpoint):
            raise Halted(why) from error
        telemetry.WITNESS_ALARMS.labels(why).inc()

    async def _cosign(self, request: AddCheckpoint, step: HeadUpdate) -> None:
        signature = step.cosign(self.key, self.private, self.clock())
        note = _bare(step.note, self.log).signed(signature)
        await self.publish(replace(request, note=str(note).encode()))
        telemetry.WITNESS_SIZE.set(step.after.size)
        log.info("witness.cosigned", size=step.after.size)

    def cosigned(self, body: bytes) -> SignedCheckpoint | None:
        """Return the checkpoint in ``body`` if this witness has cosigned it."""
        try:
            opened = open_checkpoint(AddCheckpoint.parse(body).note, self.log)
            return opened if cosigned_at(opened.note, self.key) is not None else None
        except _NONSENSE:
            return None

    def recollect(self, values: Sequence[Value], known: Standing) -> Standing:
        """Return the largest head among ``known`` and the heads this witness cosigned on the topic."""
        for offset, body in values:
            opened = self.cosigned(body)
            if opened is not None and opened.head.size >= known.head.size:
                known = Standing(opened.head, str(_bare(opened.note, self.log)).encode(), offset)
        return known


def _bare(note: Note, log_key: NoteKey) -> Note:
    """Return the note with the log's signature alone."""
    return Note(note.text, note.claims(log_key))
