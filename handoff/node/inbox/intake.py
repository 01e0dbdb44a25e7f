"""Intake of a node's inbox: fetch, deduplicate, fold, react and store, one transaction a batch."""

from collections.abc import Sequence

import structlog

from handoff import telemetry
from handoff.domain.policies import Policy, reactions
from handoff.node.commands import optimistic_state
from handoff.node.inbox.fold import InboxFold
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.ports import Clock, Store, Transaction
from handoff.node.rows import InboxPosition, KnownState, OutboxRow, PendingEvent
from handoff.record.delivery import EQUIVOCATION, to_ms
from handoff.record.envelope import Source
from handoff.record.kafka_record import KafkaRecord
from handoff.wakeup import Wakeup

log = structlog.get_logger(__name__)
MAX_REACTIONS = 100


class InboxGap(Exception):
    """The sequence has a gap: restart from the stored position and log it."""


class InboxIntake:
    """Fold of the inbox for one epoch. Policies start once every entry present at the start is folded."""

    def __init__(
        self,
        store: Store,
        me: Source,
        genesis_hash: str,
        policies: Sequence[Policy],
        *,
        folded: Wakeup,
        stored: Wakeup,
        clock: Clock,
    ) -> None:
        self._store = store
        self._me = me
        self._genesis_hash = genesis_hash
        self._policies = policies
        self._folded = folded
        self._stored = stored
        self._clock = clock
        self._epoch = 0
        self._end: int | None = None
        self.caught_up = False
        """True once every entry present at the start is folded and the policies are on."""

    async def begin(self) -> InboxPosition:
        """Start a new epoch, which fences off the previous process. Return the position to continue from."""
        self._epoch, position = await self._store.start_intake_epoch()
        return position

    async def reach(self, end: int) -> None:
        """Start the policies once the offset ``end``, the topic's end at the start, is folded."""
        async with self._store.transaction() as tx:
            position = await tx.position(self._epoch)
        self._end = end
        await self._notice_end(position)

    async def handle(self, records: Sequence[KafkaRecord]) -> None:
        """Folds a batch in the topic's order.

        When this returns it is durable. Raises ``StoreUnavailable``: retry; ``InboxGap``, ``LeadershipLost`` and
        ``BrokenDelivery``: stop.
        """
        async with self._store.transaction() as tx:
            before = await tx.position(self._epoch)
            fresh = in_order([InboxEntry.from_record(record) for record in records], before.sequence)
            fold, added, pending = await self._fold_batch(tx, fresh)
            last = fresh[-1].delivery.sequence if fresh else before.sequence
            position = InboxPosition(max(before.next_offset, records[-1].offset + 1), last)
            await tx.store_inbox([entry.row(self._me.member) for entry in fresh], position)
        self._folded.notify()
        if fold.directory_sequence is not None or added:
            self._stored.notify()
        self._log_batch(fresh, fold, pending)
        await self._notice_end(position)

    async def _fold_batch(
        self, tx: Transaction, fresh: Sequence[InboxEntry]
    ) -> tuple[InboxFold, int, Sequence[PendingEvent]]:
        """Return the fold of ``fresh``, the number of events that policies added, and the events pending before."""
        subjects = {_subject(entry) for entry in fresh}
        await tx.lock(subjects)
        known = await tx.known(subjects)
        fold = self._new_fold(known)
        for entry in fresh:
            fold.apply(entry)
        await self._save(tx, fold)
        if self.caught_up:
            return fold, await self._react(tx, fold, fold.still_pending(known.pending)), known.pending
        await tx.mark_unreacted(fold.cases)
        return fold, 0, known.pending

    def _new_fold(self, known: KnownState) -> InboxFold:
        directory = known.directory_for(self._me)
        return InboxFold(self._me.member, self._genesis_hash, directory, dict(known.cases), dict(known.parked))

    async def _save(self, tx: Transaction, fold: InboxFold) -> None:
        await tx.settle(fold.echoes)
        await tx.refuse(fold.refusals)
        await save(tx, fold)

    async def _react(self, tx: Transaction, fold: InboxFold, pending: Sequence[PendingEvent]) -> int:
        """Store the reactions of the policies to this batch's cases. Return the number of new events."""
        now, rows = self._clock(), []
        for case in fold.cases.values():
            known = optimistic_state.situation_of(fold.directory, str(case.id), case)
            expected = optimistic_state.with_pending(known, (row for row in pending if row.subject == str(case.id)))
            events, _ = reactions(self._policies, known, self._me, expected=expected)
            rows += [OutboxRow.of(event, now) for event in events]
        return await tx.enqueue(rows)

    async def _notice_end(self, position: InboxPosition) -> None:
        if self._end is not None and position.next_offset >= self._end:
            while not self.caught_up:
                await self._react_to_backlog()
                self._stored.notify()

    async def _react_to_backlog(self) -> None:
        async with self._store.transaction() as tx:
            await tx.position(self._epoch)
            cases = await tx.pop_unreacted(MAX_REACTIONS)
            subjects = [str(case) for case in cases]
            await tx.lock(subjects)
            known = await tx.known(subjects)
            await self._react(tx, self._new_fold(known), known.pending)
            # Set while the position is locked; the next batch reacts itself.
            self.caught_up = not cases

    def _log_batch(self, fresh: Sequence[InboxEntry], fold: InboxFold, pending: Sequence[PendingEvent]) -> None:
        now = to_ms(self._clock())
        stored_at = {row.id: to_ms(row.created_at) for row in pending}
        for echo in fold.echoes:
            if (created := stored_at.get(echo.row.id)) is not None:
                telemetry.ECHO_SECONDS.observe(max(now - created, 0) / 1000)
        for entry in fresh:
            delivery = entry.delivery
            telemetry.INBOX_ENTRIES.labels(delivery.verdict.kind.value).inc()
            telemetry.INBOX_SEQUENCE.set(delivery.sequence)
            log.info(
                "inbox.entry_folded",
                sequence=delivery.sequence,
                event_id=str(entry.event.id) if entry.event is not None else None,
                type=entry.event.type if entry.event is not None else None,
                verdict=delivery.verdict.kind.value,
                reason=delivery.verdict.reason,
                age_ms=now - to_ms(delivery.record_time),
            )
        _alarm(fold)


def in_order(entries: Sequence[InboxEntry], last: int) -> list[InboxEntry]:
    """Return the entries after ``last``, skipping those already folded. Raises ``InboxGap``."""
    fresh: list[InboxEntry] = []
    for entry in entries:
        sequence = entry.delivery.sequence
        if sequence > last + 1:
            telemetry.INBOX_GAPS.inc()
            raise InboxGap(f"expected the inbox entry {last + 1}, got {sequence}")
        if sequence == last + 1:
            fresh.append(entry)
            last = sequence
    return fresh


async def save(tx: Transaction, fold: InboxFold) -> None:
    """Store the results of the fold."""
    if fold.directory_sequence is not None:
        await tx.save_directory(fold.directory, fold.directory_sequence)
    await tx.save_cases(fold.saved())
    await tx.park(fold.parks)
    await tx.quarantine(fold.quarantined)


def _subject(entry: InboxEntry) -> str:
    if entry.event is not None:
        return entry.event.subject
    return str(entry.case or "")


def _alarm(fold: InboxFold) -> None:
    for echo in fold.echoes:
        # Two sources of own events: a stolen key, a second database, or one that was restored. Nothing is sent again.
        if echo.verdict == EQUIVOCATION:
            telemetry.OWN_EQUIVOCATIONS.inc()
            log.critical("inbox.own_equivocation_found", sequence=echo.sequence, event_id=str(echo.row.id))
    for park in fold.parks:
        telemetry.PARKED.labels(park.why).inc()
        log.error("inbox.parked", sequence=park.sequence, why=park.why)
    for row in fold.quarantined:
        telemetry.QUARANTINED.labels(row.code).inc()
        log.error("inbox.quarantined", sequence=row.sequence, offset=row.offset, code=row.code)
