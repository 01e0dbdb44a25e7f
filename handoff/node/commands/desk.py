"""The desk: accepts commands and queries. A stored command survives a crash and will be published."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property
from time import monotonic
from typing import Any
from uuid import UUID

import structlog

from handoff import telemetry
from handoff.domain.case import ReferralKey
from handoff.domain.commands import Command, OpenCase, RecordBasis, RequestReferral
from handoff.domain.decide import About, NewId
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation
from handoff.domain.notices import Notice, notices
from handoff.domain.own_keys import OwnKeys
from handoff.node.commands import optimistic_state
from handoff.node.commands.batching import CommandBatcher
from handoff.node.commands.command_batch import CommandBatch, Decision, SubmittedCommand, subject_of
from handoff.node.commands.derived_ids import DeriveId, HashKey
from handoff.node.commands.results import (
    Backlog,
    CaseView,
    CursorPastEnd,
    FeedEntry,
    IdempotencyConflict,
    InvalidCommand,
    OpenReferrals,
    OwnKeyEnded,
    PreconditionFailed,
    ReferralRow,
    Refused,
    Stored,
)
from handoff.node.ports import Clock, KeyTaken, Side, Store, Transaction
from handoff.node.rows import OutboxRow
from handoff.record.codes import State
from handoff.record.delivery import EFFECTIVE, Verdict
from handoff.record.envelope import Event, Source
from handoff.wakeup import Wakeup

_MAKES: Mapping[type[Command], str] = {OpenCase: "case", RecordBasis: "makes", RequestReferral: "makes"}
"""Command that makes something → where its ``About`` has the id of that."""
OUTCOMES: Mapping[type[Exception], str] = {
    Refused: "refused",
    InvalidCommand: "not_valid",
    PreconditionFailed: "precondition_failed",
    IdempotencyConflict: "idempotency_key_reused",
    OwnKeyEnded: "own_key_ended",
}
"""Outcome of a command that was not stored, spelled as the problem that its caller gets."""


@dataclass(frozen=True)
class Desk:
    """Command and query service of one member; implements ``NodeApi``."""

    store: Store
    me: Source
    stored: Wakeup
    folded: Wakeup
    clock: Clock
    new_id: NewId
    derive_id: DeriveId
    hash_key: HashKey
    keys: OwnKeys

    async def submit(
        self,
        command: Command,
        about: About,
        *,
        idempotency_key: str | None = None,
        if_match: frozenset[int] | None = None,
    ) -> Stored:
        submitted = SubmittedCommand(command, about, if_match)
        if idempotency_key is not None:
            submitted = submitted.under(self.hash_key(idempotency_key))
        name = metric_label(type(command))
        try:
            answer = await self._batcher.submit(self._with_new_id(submitted))
        except tuple(OUTCOMES) as error:
            telemetry.COMMANDS.labels(name, OUTCOMES[type(error)]).inc()
            raise
        telemetry.COMMANDS.labels(name, "replayed" if answer.replayed else "stored").inc()
        # For the request's log line: if the database is lost, the log still lists the answered commands.
        structlog.contextvars.bind_contextvars(stored=[str(event) for event in answer.events])
        return answer

    def _with_new_id(self, submitted: SubmittedCommand) -> SubmittedCommand:
        """Return the command with the id of the object it creates.

        The id derives from the idempotency key, so that a repeat creates nothing twice, even if the database that
        stored the key is lost.
        """
        attribute = _MAKES.get(type(submitted.command))
        if attribute is None:
            return submitted
        name = f"{type(submitted.command).__name__}/{submitted.key_hash}"
        made = self.derive_id(name) if submitted.key_hash is not None else self.new_id()
        return replace(submitted, about=replace(submitted.about, **{attribute: made}))

    @cached_property
    def _batcher(self) -> CommandBatcher[SubmittedCommand, Stored]:
        return CommandBatcher(self._decide)

    async def _decide(self, commands: Sequence[SubmittedCommand]) -> list[Decision]:
        while True:
            try:
                async with self.store.transaction() as tx:
                    batch = await self._load_batch(tx, commands)
                    decisions = [batch.decide(command) for command in commands]
                    await tx.enqueue(batch.rows)
                    await tx.store_answers(batch.answers)
            except KeyTaken:
                # The answer is stored by now.
                continue
            self.stored.notify()
            return decisions

    async def _load_batch(self, tx: Transaction, commands: Sequence[SubmittedCommand]) -> CommandBatch:
        subjects = {subject_of(command, self.me) for command in commands}
        key_hashes = [command.key_hash for command in commands if command.key_hash is not None]
        escalations = {command.about.escalation for command in commands if command.about.escalation is not None}
        known = await tx.lock(subjects, key_hashes, escalations)
        status = self.keys.status(known.directory_for(self.me), known.clock.judging_time(self.clock()))
        ended = OwnKeyEnded(status, self.keys.ids) if status.has_ended else None
        return CommandBatch(known, self.me, self.clock, self.new_id, own_key_ended=ended)

    async def publish(self, events: Iterable[Event[Any]]) -> int:
        """Store events created elsewhere, as at the founding. Return the number of new ones. Idempotent."""
        now = self.clock()
        async with self.store.transaction() as tx:
            new = await tx.enqueue([OutboxRow.of(event, now) for event in events])
        self.stored.notify()
        return new

    async def outcome(self, events: Sequence[UUID], within: float) -> Verdict | None:
        deadline = monotonic() + within
        while True:
            changed = self.folded.subscribe()
            verdicts = await self.store.outcomes(events)
            if len(verdicts) == len(set(events)):
                return next((v for e in events if not (v := verdicts[e]).is_effective), EFFECTIVE)
            if (left := deadline - monotonic()) <= 0:
                return None
            await changed.wait(left)

    def now(self) -> datetime:
        return self.clock()

    async def case(self, case: UUID) -> CaseView | None:
        subject = str(case)
        async with self.store.transaction() as tx:
            stored = await tx.known([subject])
        folded = stored.cases.get(case)
        if folded is None and not stored.pending and not stored.parked:
            return None
        known = optimistic_state.situation_of(stored.directory_for(self.me), subject, folded)
        expected = optimistic_state.with_pending(known, stored.pending, stored.clock)
        if known.case is None or expected.case is None:
            raise LookupError("a case was looked up under the jurisdiction's id")
        pending, parked = tuple(row.id for row in stored.pending), tuple(key.referral for key in stored.parked)
        read_at = stored.clock.judging_time(self.clock())
        return CaseView(known.case, expected.case, expected.directory, self.me, read_at, pending, parked)

    async def referrals(
        self,
        *,
        after: ReferralKey | None = None,
        limit: int = 50,
        states: Sequence[State] = (),
        side: Side | None = None,
    ) -> tuple[ReferralRow, ...]:
        source = self.me.member if side is Side.SOURCE else None
        target = self.me.member if side is Side.TARGET else None
        return await self.store.referrals(after=after, limit=limit, states=states, source=source, target=target)

    async def feed(self, after: int, limit: int, within: float = 0) -> tuple[FeedEntry, ...]:
        deadline = monotonic() + within
        while True:
            changed = self.folded.subscribe()
            if entries := await self.store.feed(after, limit):
                return entries
            # Read after the page: an entry that arrived in between is above the cursor and below the end.
            if (end := await self.store.feed_end()) < after:
                raise CursorPastEnd(end)
            if end == after:
                if (left := deadline - monotonic()) <= 0:
                    return ()
                await changed.wait(left)

    async def notices(self) -> tuple[Notice, ...]:
        cases, directory = await self.store.awaited_cases(), await self.directory()
        return notices(cases, self.me.member, directory, self.clock())

    async def open_referrals(self) -> OpenReferrals:
        return await self.store.open_referrals()

    async def directory(self) -> Directory:
        return await self.store.directory() or Directory(self.me.jurisdiction, self.me.generation)

    async def escalations(self) -> tuple[Escalation, ...]:
        return await self.store.escalations()

    async def pending(self) -> Backlog:
        backlog = await self.store.backlog(self.clock())
        telemetry.OUTBOX_UNSENT.set(backlog.unsent)
        telemetry.OUTBOX_UNECHOED.set(backlog.unechoed)
        telemetry.OUTBOX_OLDEST_SECONDS.set(backlog.oldest_seconds)
        telemetry.CLOCK_OFFSET_SECONDS.set(backlog.clock_offset_ms / 1000)
        return backlog


@cache
def metric_label(command: type[Command]) -> str:
    """Return the name of a command as a label."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", command.__name__).lower()
