"""Escalations are loaded by reference: each reader judges as one that keeps the whole record in memory."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation, Overdue
from handoff.exchange.routing import InboxHead, Known, Routed, route
from handoff.record.codes import AcknowledgementAction
from handoff.record.envelope import Event, Identity
from handoff.record.events.deadline import EscalationAcknowledged
from handoff.record.kafka_record import ParsedRecord
from handoff.views.timeline_fold import TimelineFold
from tests.property.programs import Move, beginnings, many_moves, played
from tests.support.dsl.builders import GENERATION, JURISDICTION
from tests.support.dsl.judged import GENESIS_HASH, checked, parsed, projected, routed, story_of
from tests.support.dsl.spec import COORDINATION, POLICE, SECOND, Record, Sent, nth_id

EMPTY = Directory(JURISDICTION, GENERATION)
Batches = Sequence[tuple[ParsedRecord, ...]]


@st.composite
def _acknowledgements(draw: st.DrawFn) -> Move:
    """An acknowledgement of an escalation that was opened, also again, or of one that never was."""
    choice, emitter = draw(st.integers(0, 20)), draw(st.sampled_from((COORDINATION, COORDINATION, POLICE)))

    def move(record: Record) -> None:
        opened = list(record.overdue) or [nth_id(77)]
        answer = EscalationAcknowledged(
            reference=opened[choice % len(opened)], action=AcknowledgementAction.CALLED_AGENCY
        )
        record.now += SECOND
        record.append(record.envelope(Sent(emitter, answer)))

    return move


programs = st.lists(st.one_of(many_moves, st.lists(_acknowledgements(), min_size=1, max_size=3)), max_size=8)
sizes = st.lists(st.integers(1, 7), min_size=1, max_size=10)


def _in_batches(records: Sequence[ParsedRecord], sizes: Sequence[int]) -> Iterator[tuple[ParsedRecord, ...]]:
    first, number = 0, 0
    while first < len(records):
        size = sizes[number % len(sizes)]
        yield tuple(records[first : first + size])
        first, number = first + size, number + 1


def _named(batch: Sequence[ParsedRecord]) -> set[UUID]:
    return {record.escalation for record in batch if record.escalation is not None}


class _Exchange:
    """The exchange's tables, from which each batch is given only what its events name."""

    def __init__(self) -> None:
        self.state = Routed(EMPTY, 0, {}, InboxHead(0, bytes(32)))
        self.cases: dict[UUID, Case] = {}
        self.hashes: dict[Identity, str] = {}
        self.escalations: dict[UUID, Escalation | None] = {}
        self.overdue: dict[UUID, Overdue | None] = {}
        self.verdicts: list[Any] = []
        self.own_events: list[Event[Any]] = []

    def route(self, batch: tuple[ParsedRecord, ...]) -> None:
        """Route a batch."""
        named = _named(batch)
        known = Known(
            self.state.directory,
            self.state.record_ms,
            {r.case_id: self.cases[r.case_id] for r in batch if r.case_id in self.cases},
            {r.identity: self.hashes[r.identity] for r in batch if r.identity in self.hashes},
            self.state.inboxes,
            escalations={key: found for key, found in self.escalations.items() if key in named and found is not None},
            overdue={key: late for key, late in self.overdue.items() if key in named and late is not None},
        )
        self.state = route(known, batch, GENESIS_HASH)
        self.cases |= self.state.cases
        self.hashes |= self.state.first_hashes
        self.escalations |= self.state.escalations
        self.overdue |= self.state.overdue
        self.verdicts += [judged.verdict for judged in self.state.judged]
        self.own_events += self.state.own_events


@given(beginning=beginnings, moves=programs, sizes=sizes)
@settings(max_examples=150)
def test_verdicts_and_consequences_do_not_depend_on_what_else_is_loaded(
    beginning: tuple[Sent, ...], moves: list[list[Move]], sizes: list[int]
) -> None:
    """The exchange, by reference and in batches, is equal to one fold of everything, and to the history checker."""
    record = played([move for some in moves for move in some], beginning)
    appended = story_of(record)
    whole, exchange = routed(appended), _Exchange()
    for batch in _in_batches(tuple(parsed(appended)), sizes):
        exchange.route(batch)
    assert exchange.verdicts == [judged.verdict for judged in whole.judged]
    assert exchange.own_events == whole.own_events
    assert [(v.kind, v.reason) for v in exchange.verdicts] == [
        (judged.outcome, judged.reason) for judged in checked(appended).judged
    ]
    assert exchange.escalations == whole.escalations
    assert exchange.overdue == whole.overdue


@given(beginning=beginnings, moves=programs, sizes=sizes)
@settings(max_examples=100)
def test_the_projection_stores_the_same_escalations_in_batches_of_any_size(
    beginning: tuple[Sent, ...], moves: list[list[Move]], sizes: list[int]
) -> None:
    """Rows that are read back by reference give the verdicts of one fold over the whole record."""
    record = played([move for some in moves for move in some], beginning)
    appended = story_of(record)
    whole = projected(appended)
    fold, rows, hashes = TimelineFold.at(GENESIS_HASH, EMPTY), dict[UUID, Escalation | None](), dict[Identity, str]()
    verdicts = list[Any]()
    for batch in _in_batches(tuple(parsed(appended)), sizes):
        named = fold.named_escalations(batch)
        fold.cache((), {}, [found for key in named if (found := rows.get(key)) is not None])
        done = fold.apply(batch, {r.identity: hashes[r.identity] for r in batch if r.identity in hashes})
        rows |= done.escalations
        for row in done.rows:
            verdicts.append(row.judged.verdict)
            if row.judged.takes_identity and row.judged.record.identity is not None:
                hashes[row.judged.record.identity] = row.judged.record.value_hash
    assert verdicts == [row.judged.verdict for row in whole.rows]
    assert rows == whole.escalations
