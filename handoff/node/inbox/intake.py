"""Intake of a node's inbox: fetch, deduplicate, fold, react and store, one transaction a batch."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from handoff import telemetry
from handoff.domain.policies import Policy, reactions
from handoff.domain.rules import UnsupportedRules
from handoff.node.commands import optimistic_state
from handoff.node.inbox.fold import InboxFold
from handoff.node.inbox.inbox_chain import InboxChain, contradiction, states_the_same
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.ports import Clock, Store, Transaction
from handoff.node.record_clock import RecordClock, measure
from handoff.node.rows import InboxPosition, InboxRow, KnownState, OutboxRow, PendingEvent, QuarantinedEntry
from handoff.record.delivery import EQUIVOCATION, BrokenDelivery, Delivery, DeliveryFault, to_ms
from handoff.record.envelope import Source
from handoff.record.events.directory import KeyRegistered
from handoff.record.kafka_record import KafkaRecord
from handoff.wakeup import Wakeup

log = structlog.get_logger(__name__)
MAX_REACTIONS = 100


REDACTED_ON_ARRIVAL = "redacted"
"""Code of the alarm for an effective entry whose value was replaced by a stub before this node read it."""


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
        own_keys: Collection[str] = (),
    ) -> None:
        self._store = store
        self._own_keys = own_keys
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
        self.stopped = ""
        """Reason why the inbox stopped: an entry that the exchange did not deliver in this form. Empty if it runs."""

    async def begin(self) -> InboxPosition:
        """Start a new epoch, which fences off the previous process. Return the position to continue from."""
        self._epoch, position = await self._store.start_intake_epoch()
        return position

    async def last_entry(self) -> InboxRow | None:
        """Return the last stored entry."""
        return await self._store.last_inbox_entry()

    def confirm(self, last: InboxRow, found: KafkaRecord) -> None:
        """Check that ``found``, the topic's record at its offset, is the last stored one. Raises ``BrokenDelivery``."""
        if not states_the_same(last.delivery, Delivery.from_message(found.message)):
            raise BrokenDelivery(
                DeliveryFault.LOST,
                f"the inbox topic has another entry at offset {found.offset} than the one that was read there: it lost "
                "entries and grew again",
            )

    async def reach(self, end: int) -> None:
        """Start the policies once the offset ``end``, the topic's end at the start, is folded."""
        async with self._store.transaction() as tx:
            position = await tx.position(self._epoch)
        self._end = end
        await self._notice_end(position)

    async def handle(self, records: Sequence[KafkaRecord]) -> None:
        """Folds a batch in the topic's order, up to the first entry that the exchange did not deliver in this form.

        When this returns it is durable. Raises ``StoreUnavailable``: retry; ``LeadershipLost`` and ``BrokenDelivery``:
        stop. The entries before a broken one are durable, and the broken one is stored as evidence.
        """
        async with self._store.transaction() as tx:
            before = await tx.position(self._epoch)
            chain = InboxChain(self._me.member, self._genesis_hash, before.chain)
            arrivals = order_arrivals(records, before.sequence)
            stored = await tx.inbox_rows(arrivals.repeated)
            fold, added, known = await self._fold_batch(tx, arrivals, chain, stored)
            fresh, broken = arrivals.fresh, arrivals.fault
            last = fresh[-1].delivery.sequence if fresh else before.sequence
            read = records[-1].offset + 1
            if broken is not None:
                read = records[len(arrivals.entries)].offset
                if broken.fault is not DeliveryFault.RULES_NOT_SUPPORTED:
                    await tx.store_broken(records[len(arrivals.entries)], broken.fault, self._clock())
            position = InboxPosition(max(before.next_offset, read), last, chain.head)
            await tx.store_inbox([stored[entry.delivery.sequence] for entry in fresh], position)
        self._folded.notify()
        if fold.directory_sequence is not None or added:
            self._stored.notify()
        self._log_batch(fresh, fold, known)
        if self.caught_up:
            alarm_stubs(fold.stubs)
        if broken is not None:
            raise broken
        await self._notice_end(position)

    def stop(self, broken: BrokenDelivery) -> None:
        """Stop the inbox and raise the alarm: no later entry may be folded before a person has examined this one."""
        self.stopped = f"stopped ({broken.fault}): {broken}"
        telemetry.INBOX_ALARMS.labels(broken.fault.value).inc()
        log.critical("inbox.stopped", why=broken.fault.value, what=str(broken))

    async def _fold_batch(
        self, tx: Transaction, arrivals: "Arrivals", chain: InboxChain, stored: dict[int, InboxRow]
    ) -> tuple[InboxFold, int, KnownState]:
        """Return the fold of the fresh entries, the number of events that policies added, and the state before.

        The rows of the fresh entries are added to ``stored``.
        """
        subjects = {_subject(entry) for entry in arrivals.fresh}
        known = await tx.lock(subjects)
        fold = self._new_fold(known)
        apply_arrivals(fold, chain, arrivals, stored)
        pending = {row.id for row in known.pending}
        fold.foreign = set(await tx.unknown_events([e.row.id for e in fold.echoes if e.row.id not in pending]))
        await settle(tx, fold)
        await save(tx, fold)
        await self._measure_clock(tx, fold, known)
        if self.caught_up:
            return fold, await self._react(tx, fold, fold.still_pending(known.pending), known.clock), known
        await tx.mark_unreacted(fold.cases)
        return fold, 0, known

    def _new_fold(self, known: KnownState) -> InboxFold:
        directory = known.directory_for(self._me)
        return InboxFold(self._me.member, self._genesis_hash, directory, dict(known.cases), dict(known.parked))

    async def _measure_clock(self, tx: Transaction, fold: InboxFold, known: KnownState) -> None:
        """Compare the own clock with record time. Store the measurement while the two differ, and once more after."""
        stored_at = {row.id: row.created_at for row in known.pending}
        echoes = [(stored_at[echo.row.id], echo.at) for echo in fold.echoes if echo.row.id in stored_at]
        measured = measure(echoes, self._clock())
        if measured is None or not (measured.is_off or known.clock.is_off):
            return
        await tx.save_clock(measured)
        if measured.is_off is not known.clock.is_off:
            report = log.error if measured.is_off else log.info
            report("clock.offset_changed", seconds=measured.offset.total_seconds(), is_off=measured.is_off)

    async def _react(
        self, tx: Transaction, fold: InboxFold, pending: Sequence[PendingEvent], clock: RecordClock
    ) -> int:
        """Store the reactions of the policies to this batch's cases. Return the number of new events."""
        now, rows = self._clock(), []
        for case in fold.cases.values():
            known = optimistic_state.situation_of(fold.directory, str(case.id), case)
            own = (row for row in pending if row.subject == str(case.id))
            expected = optimistic_state.with_pending(known, own, clock)
            events, _ = reactions(self._policies, known, self._me, expected=expected)
            rows += [OutboxRow.of(event, now) for event in events]
        return await tx.enqueue(rows)

    async def _notice_end(self, position: InboxPosition) -> None:
        if self._end is None or position.next_offset < self._end or self.caught_up:
            return
        while not self.caught_up:
            await self._react_to_backlog()
            self._stored.notify()
        # Only now is it certain that the order for a stub in the backlog is missing.
        async with self._store.transaction() as tx:
            alarm_stubs(await tx.held_stubs())

    async def _react_to_backlog(self) -> None:
        async with self._store.transaction() as tx:
            await tx.position(self._epoch)
            cases = await tx.pop_unreacted(MAX_REACTIONS)
            subjects = [str(case) for case in cases]
            known = await tx.lock(subjects)
            await self._react(tx, self._new_fold(known), known.pending, known.clock)
            # Set while the position is locked; the next batch reacts itself.
            self.caught_up = not cases

    def _log_batch(self, fresh: Sequence[InboxEntry], fold: InboxFold, known: KnownState) -> None:
        now = to_ms(self._clock())
        stored_at = {row.id: to_ms(row.created_at) for row in known.pending}
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
            if delivery.is_redacted and delivery.verdict.is_effective:
                telemetry.QUARANTINED.labels(REDACTED_ON_ARRIVAL).inc()
                log.error("inbox.redacted_on_arrival", sequence=delivery.sequence, offset=entry.offset)
        _alarm(fold, self._own_keys)


@dataclass(slots=True)
class Arrivals:
    """The entries of a batch up to the first fault, in the topic's order. ``first`` is the sequence that comes next."""

    first: int
    entries: list[InboxEntry] = field(default_factory=list)
    fault: BrokenDelivery | None = None

    def cut_off(self, place: int, fault: BrokenDelivery) -> None:
        """Remove the entries from ``place`` on, of which the first has the fault."""
        del self.entries[place:]
        self.fault = fault

    @property
    def fresh(self) -> list[InboxEntry]:
        """The entries with the next sequences, without repetitions."""
        expected, fresh = self.first, list[InboxEntry]()
        for entry in self.entries:
            if entry.delivery.sequence == expected:
                fresh.append(entry)
                expected += 1
        return fresh

    @property
    def repeated(self) -> frozenset[int]:
        """Sequences of stored entries that come again, each with the one before it, whose chain hash its own needs."""
        again = {entry.delivery.sequence for entry in self.entries if entry.delivery.sequence < self.first}
        if len(self.fresh) < len(self.entries):
            again.add(self.first)
        return frozenset(again | {sequence - 1 for sequence in again})


def order_arrivals(records: Sequence[KafkaRecord], last: int) -> Arrivals:
    """Parse a batch of the topic after the sequence ``last``, up to the first malformed record or gap."""
    arrivals = Arrivals(last + 1)
    for record in records:
        try:
            entry = InboxEntry.from_record(record)
        except BrokenDelivery as broken:
            arrivals.fault = broken
            break
        sequence = entry.delivery.sequence
        if sequence > last + 1:
            what = f"expected inbox entry {last + 1}, found {sequence} (offset {record.offset})"
            arrivals.fault = BrokenDelivery(DeliveryFault.GAP, what)
            break
        arrivals.entries.append(entry)
        last = max(last, sequence)
    return arrivals


def apply_arrivals(fold: InboxFold, chain: InboxChain, arrivals: Arrivals, stored: dict[int, InboxRow]) -> None:
    """Check and fold the arrivals, and add the rows of the fresh ones to ``stored``.

    At the first entry that is not signed, contradicts a stored one or puts rules into force that this release does not
    have, the arrivals are cut off with that fault.
    """
    for place, entry in enumerate(arrivals.entries):
        sequence, head = entry.delivery.sequence, chain.head
        try:
            if sequence >= arrivals.first and sequence not in stored:
                link, rules = chain.append(entry, fold.directory), fold.directory.rules
                fold.apply(entry)
                stored[sequence] = entry.row(fold.me, link, rules)
            elif (differs := contradiction(chain, entry, stored, fold.directory)) is not None:
                raise differs
        except BrokenDelivery as broken:
            arrivals.cut_off(place, broken)
            return
        except UnsupportedRules as error:
            chain.head = head
            arrivals.cut_off(place, BrokenDelivery(DeliveryFault.RULES_NOT_SUPPORTED, str(error)))
            return


async def settle(tx: Transaction, fold: InboxFold) -> None:
    """Store the results of the fold in the outbox. Rows that a lost database had are restored."""
    await tx.enqueue(fold.unsigned)
    await tx.mark_key_refused(fold.key_refusals)
    await tx.settle(fold.echoes)
    await tx.refuse(fold.refusals)


async def save(tx: Transaction, fold: InboxFold) -> None:
    """Store the folded state."""
    if fold.directory_sequence is not None:
        await tx.save_directory(fold.directory, fold.directory_sequence)
    await tx.save_cases(fold.saved())
    await tx.save_escalations(fold.escalations)
    await tx.park(fold.parks)
    await tx.quarantine((*fold.quarantined, *fold.stubs))
    await tx.release_stubs(fold.orders)


def _subject(entry: InboxEntry) -> str:
    if entry.event is not None:
        return entry.event.subject
    return str(entry.case or "")


def alarm_stubs(stubs: Iterable[QuarantinedEntry]) -> None:
    """Raise an alarm for each redacted entry that no order of the coordinator names."""
    for stub in stubs:
        telemetry.QUARANTINED.labels(stub.code).inc()
        log.critical("inbox.stub_without_order", sequence=stub.sequence, offset=stub.offset, code=stub.code)


def _alarm(fold: InboxFold, own_keys: Collection[str]) -> None:
    for key_event in fold.key_events:
        # The registration of a configured key is a step of a rotation; every other event needs a person.
        is_expected = key_event.type == KeyRegistered.type and key_event.key in own_keys
        (log.info if is_expected else log.error)(
            "inbox.own_key_changed", sequence=key_event.sequence, type=key_event.type, key=key_event.key
        )
        if not is_expected:
            telemetry.OWN_KEY_EVENTS.labels(key_event.type).inc()
    for echo in fold.echoes:
        if echo.row.id in fold.foreign:
            telemetry.FOREIGN_ECHOES.inc()
            log.critical("inbox.foreign_own_event_found", sequence=echo.sequence, event_id=str(echo.row.id))
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
