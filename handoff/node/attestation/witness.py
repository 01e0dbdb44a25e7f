"""The witness: follows the record's checkpoints and cosigns those that its own head has grown into. No I/O of its own.

A head is stored before it is cosigned, where the one before still stands; so whoever is killed in between cosigns the
same again, and two processes of one member never cosign two records.
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
    """A witness's head, the log's note that states it, and the offset of the request that led there."""

    head: TreeHead = EMPTY_TREE_HEAD
    note: bytes = b""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks against the log: the note of the own head, and the request that does not agree with it."""

    why: str
    own: bytes
    offered: bytes
    at: datetime


class Memory(Protocol):
    """Where a witness keeps its head. Every method may raise ``StoreUnavailable``: repeat it, nothing is lost."""

    async def standing(self) -> Standing:
        """The head as it is stored."""

    async def advance(self, before: TreeHead, after: Standing) -> bool:
        """Stores ``after`` where ``before`` stands, durably; False where something else stands."""

    async def accuse(self, evidence: Evidence) -> None:
        """Keeps evidence; what is known already is kept once."""

    async def accusation(self) -> str | None:
        """Why there must be no cosignature any more; None while there is no such evidence."""


class Halted(Exception):
    """The witness must cosign nothing more until a person has looked: stop it, alarm, and let the rest go on."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Lagging(Exception):
    """What leads on from the witness's own head lies further back on the topic: read it again from its beginning."""


class Differs(Exception):
    """The log's root is not the one that was recomputed from the record."""


async def believe(_head: TreeHead) -> None:
    """An agency cannot recompute a root; the monitor does."""


_EVIDENCE: Mapping[type[Exception], str] = {
    ForkedCheckpoint: "forked",
    InconsistentCheckpoint: "inconsistent",
    Differs: "differs",
}
"""Codes under which evidence against the log is stored, logged and counted."""


@dataclass
class Witness:
    """One cosigner of one log. ``examine`` raises ``Differs`` for a head that is not the record's."""

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
        """The offset to read from. Raises ``Halted`` where evidence is kept."""
        if (why := await self.memory.accusation()) is not None:
            raise Halted(why)
        self.standing = await self.memory.standing()
        return self.standing.offset

    async def confirm(self) -> None:
        """Examines the head that it stands by: the record may have been changed since. Raises ``Halted``."""
        try:
            await self.examine(self.standing.head)
        except Differs as error:
            await self._object(error, self.standing.note)

    def remember(self, values: Sequence[Value]) -> None:
        """Looks over what lay on the topic at the start. Raises ``Halted`` where more was cosigned than is stored."""
        published = [opened for _, body in values if (opened := self.cosigned(body)) is not None]
        try:
            check_witness_state(self.standing.head, published, self.key)
        except WitnessStateLost as error:
            log.critical("witness.forgot", size=self.standing.head.size, why=str(error))
            raise Halted("forgotten") from error

    async def hear(self, values: Sequence[Value]) -> None:
        """Moves on by what these values ask for, and cosigns the last of it once it is stored.

        Raises ``Halted``, ``Lagging``, ``StoreUnavailable`` and what ``publish`` raises: then begin anew.
        """
        before, wanted = self.standing.head, None
        for value in values:
            wanted = await self._weigh(value) or wanted
        if wanted is None:
            return
        if not await self.memory.advance(before, self.standing):
            # Another process of this member moved on meanwhile.
            self.standing = await self.memory.standing()
            return
        await self._cosign(*wanted)

    async def _weigh(self, value: Value) -> tuple[AddCheckpoint, HeadUpdate] | None:
        """The request and its step, if it is to be cosigned."""
        offset, body = value
        try:
            request = AddCheckpoint.parse(body)
            step = evaluate_request(self.standing.head, request, self.log)
            is_news = step.after != step.before
            # A note that only repeats the head under others' cosignatures asks nobody for anything.
            if not is_news and len(step.note.signatures) > 1:
                return None
            if is_news:
                await self.examine(step.after)
        except (StaleCheckpoint, *_NONSENSE) as error:
            log.debug("witness.passed", offset=offset, why=type(error).__name__)
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
        log.warning("witness.missed", own=missed.size, old=request.old_size)

    async def _object(self, error: ForkedCheckpoint | InconsistentCheckpoint | Differs, body: bytes) -> None:
        """Keeps what was found. A proof is nobody's word, as any cosigner may write here; two signed heads are."""
        why = _EVIDENCE[type(error)]
        await self.memory.accuse(Evidence(why, self.standing.note, body, self.clock()))
        log.critical("witness.objects", why=why, size=self.standing.head.size, found=str(error))
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
        """The checkpoint in ``body`` if this witness has cosigned it."""
        try:
            opened = open_checkpoint(AddCheckpoint.parse(body).note, self.log)
            return opened if cosigned_at(opened.note, self.key) is not None else None
        except _NONSENSE:
            return None

    def recollect(self, values: Sequence[Value], known: Standing) -> Standing:
        """The largest head among ``known`` and what this witness is seen to have cosigned."""
        for offset, body in values:
            opened = self.cosigned(body)
            if opened is not None and opened.head.size >= known.head.size:
                known = Standing(opened.head, str(_bare(opened.note, self.log)).encode(), offset)
        return known


def _bare(note: Note, log_key: NoteKey) -> Note:
    """The note with nobody's signature but the log's."""
    return Note(note.text, note.claims(log_key))
