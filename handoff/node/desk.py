"""The desk: takes commands and questions. What it stores survives, and is on its way."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any
from uuid import UUID

from handoff import telemetry
from handoff.domain.case import Referral, Situation
from handoff.domain.commands import Command, OpenCase, RecordBasis, RequestReferral
from handoff.domain.decide import About, NewId, Refusal, decide
from handoff.domain.directory import Directory
from handoff.node import overlay
from handoff.node.answers import (
    Backlog,
    CaseView,
    FeedEntry,
    IdempotencyConflict,
    PreconditionFailed,
    ReferralRow,
    Refused,
    Stored,
)
from handoff.node.bell import Bell, wait
from handoff.node.ports import Clock, Side, Store, Transaction
from handoff.node.rows import OutboxRow
from handoff.record.codes import State
from handoff.record.delivery import EFFECTIVE, Verdict
from handoff.record.envelope import Event, Source


@dataclass(frozen=True)
class Desk:
    """Takes commands and questions for one member; an implementation of ``Reception``."""

    store: Store
    me: Source
    stored: Bell
    folded: Bell
    clock: Clock
    new_id: NewId

    async def submit(
        self, command: Command, about: About, *, idempotency_key: str | None = None, if_match: int | None = None
    ) -> Stored:
        name = type(command).__name__
        try:
            answer = await self._submit(command, about, idempotency_key, if_match)
        except (Refused, PreconditionFailed, IdempotencyConflict) as error:
            telemetry.COMMANDS.labels(name, type(error).__name__).inc()
            raise
        telemetry.COMMANDS.labels(name, "replayed" if answer.replayed else "stored").inc()
        self.stored.ring()
        return answer

    async def _submit(self, command: Command, about: About, key: str | None, if_match: int | None) -> Stored:
        async with self.store.transaction() as tx:
            if key is None:
                return await self._decide(tx, command, about, if_match)
            key_hash, request_hash = self._key_hash(key), _request_hash(command, about)
            earlier = await tx.claim(key_hash, request_hash, self.clock())
            if earlier is not None:
                return _replay(request_hash, *earlier)
            answer = await self._decide(tx, command, about, if_match)
            await tx.answer(key_hash, _as_text(answer))
            return answer

    async def _decide(self, tx: Transaction, command: Command, about: About, if_match: int | None) -> Stored:
        if isinstance(command, OpenCase):
            about = replace(about, case=self.new_id())
        known = await self._known(tx, self._subject(about))
        referral = _referral(known, about)
        if if_match is not None and referral is not None and referral.seen != if_match:
            raise PreconditionFailed(referral.state, referral.seen)
        now = self.clock()
        events = decide(known, command, about, me=self.me, now=now, new_id=self.new_id)
        if isinstance(events, Refusal):
            raise Refused(events, referral.seen if referral is not None else None)
        await tx.enqueue(OutboxRow.of(event, now) for event in events)
        return Stored(tuple(event.id for event in events), _with_new_ids(command, about, events))

    async def publish(self, events: Iterable[Event[Any]]) -> int:
        """Stores events that were made elsewhere, as at the founding; gives how many are new. Idempotent."""
        now = self.clock()
        async with self.store.transaction() as tx:
            new = await tx.enqueue([OutboxRow.of(event, now) for event in events])
        self.stored.ring()
        return new

    async def outcome(self, events: Sequence[UUID], within: float) -> Verdict | None:
        deadline = monotonic() + within
        while True:
            ticket = self.folded.ticket()
            verdicts = await self.store.outcomes(events)
            if len(verdicts) == len(set(events)):
                return next((v for e in events if not (v := verdicts[e]).is_effective), EFFECTIVE)
            if (left := deadline - monotonic()) <= 0:
                return None
            await wait(ticket, left)

    async def case(self, case: UUID) -> CaseView | None:
        subject = str(case)
        async with self.store.transaction() as tx:
            folded = (await tx.cases([case])).get(case)
            pending = await tx.pending([subject])
            parked = await tx.parked([case])
            directory = await self._directory(tx)
        if folded is None and not pending and not parked:
            return None
        known = overlay.about(directory, subject, folded)
        expected = overlay.with_pending(known, pending)
        if known.case is None or expected.case is None:
            raise LookupError("a case was looked up under the jurisdiction's id")
        return CaseView(known.case, expected.case, tuple(row.id for row in pending), tuple(parked))

    async def referrals(
        self, *, after: UUID | None = None, limit: int = 50, states: Sequence[State] = (), side: Side | None = None
    ) -> tuple[ReferralRow, ...]:
        source = self.me.member if side is Side.SOURCE else None
        target = self.me.member if side is Side.TARGET else None
        return await self.store.referrals(after=after, limit=limit, states=states, source=source, target=target)

    async def feed(self, after: int, limit: int) -> tuple[FeedEntry, ...]:
        return await self.store.feed(after, limit)

    async def directory(self) -> Directory:
        async with self.store.transaction() as tx:
            return await self._directory(tx)

    async def pending(self) -> Backlog:
        backlog = await self.store.backlog(self.clock())
        telemetry.OUTBOX_UNSENT.set(backlog.unsent)
        telemetry.OUTBOX_UNECHOED.set(backlog.unechoed)
        telemetry.OUTBOX_OLDEST_SECONDS.set(backlog.oldest_seconds)
        return backlog

    async def _known(self, tx: Transaction, subject: str) -> Situation:
        await tx.lock([subject])
        directory = await self._directory(tx)
        case = None if subject == self.me.jurisdiction else (await tx.cases([UUID(subject)])).get(UUID(subject))
        return overlay.with_pending(overlay.about(directory, subject, case), await tx.pending([subject]))

    async def _directory(self, tx: Transaction) -> Directory:
        return await tx.directory() or Directory(self.me.jurisdiction, self.me.generation)

    def _subject(self, about: About) -> str:
        return str(about.case) if about.case is not None else self.me.jurisdiction

    def _key_hash(self, key: str) -> str:
        return _hash(self.me.member, key)


def _referral(known: Situation, about: About) -> Referral | None:
    if known.case is None or about.referral is None:
        return None
    return known.case.referrals.get(about.referral)


def _with_new_ids(command: Command, about: About, events: Sequence[Event[Any]]) -> About:
    if isinstance(command, RequestReferral):
        return replace(about, referral=events[0].data.referral)
    if isinstance(command, RecordBasis):
        return replace(about, basis=events[0].data.basis)
    return about


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _request_hash(command: Command, about: About) -> str:
    return _hash(type(command).__name__, str(about), command.model_dump_json())


_ABOUT = ("case", "referral", "basis", "escalation")


def _as_text(answer: Stored) -> str:
    ids = {name: str(found) for name in _ABOUT if (found := getattr(answer.about, name)) is not None}
    return json.dumps({"events": [str(event) for event in answer.events], "about": ids})


def _replay(request_hash: str, earlier_hash: str, answer: str) -> Stored:
    if earlier_hash != request_hash:
        raise IdempotencyConflict
    kept = json.loads(answer)
    about = About(**{name: UUID(found) for name, found in kept["about"].items()})
    return Stored(tuple(UUID(event) for event in kept["events"]), about, replayed=True)
