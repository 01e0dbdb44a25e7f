"""A record that the tests' pure exchange kept, as the history checker would find it in a jurisdiction's parts."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from handoff.domain.case import Case
from handoff.domain.founding import admission_events
from handoff.domain.state_codec import dump_case
from handoff.record import codec, signing
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE, Event
from history_checker.evidence import (
    Answered,
    Decided,
    Delivered,
    Entry,
    Evidence,
    Exchange,
    Json,
    Node,
    Shown,
    Timeline,
)
from history_checker.history import History, Judged
from history_checker.world import World
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, JURISDICTION, key_of, signed
from tests.support.dsl.spec import CHARTER, T0, Record


def evidence_of(record: Record) -> Evidence:
    """Every part of a jurisdiction in which nothing went wrong: what the product's own rules leave in each."""
    entries = tuple(_entries(record))
    history = Trusting(World(JURISDICTION), GENERATION, "")
    for entry in entries:
        history.take(entry)
    states = {key: state for case in record.cases.values() for key, state in referrals_of(case).items()}
    inboxes = {member: _delivered(history.inboxes[member]) for member in spec.MEMBERS}
    return Evidence(
        jurisdiction=JURISDICTION,
        generation=GENERATION,
        genesis=signing.sha256(codec.encode(spec.founding())),
        record=entries,
        inboxes=inboxes,
        nodes={member: _node(member, record, history, inboxes[member]) for member in spec.MEMBERS},
        exchange=Exchange(len(entries), states, {member: len(inboxes[member]) for member in spec.MEMBERS}),
        timeline=Timeline(len(entries), tuple(map(_shown, history.judged)), states, states),
        answered=tuple(_answered(history)),
    )


class Trusting(History):
    """The checker where keys play no part: the tests' pure exchange checks none."""

    __slots__ = ()

    def _forgery(self, _entry: Entry, _event: object, _at: datetime) -> str | None:
        return None


def read_again(record: Record) -> History:
    """A record as the checker reads it, from the founding on."""
    history = Trusting(World(JURISDICTION), GENERATION, "")
    for entry in _entries(record):
        history.take(entry)
    return history


def founding_length() -> int:
    """How many entries a jurisdiction begins with, before anything is said in a case."""
    return len(list(_founding()))


def _founding() -> Iterator[Event[Any]]:
    yield spec.founding()
    yield from admission_events(CHARTER, ((a, key_of(a.member)) for a in spec.ADMISSIONS), T0 - spec.DAY)


def _entries(record: Record) -> Iterator[Entry]:
    said = [(event, T0 - spec.DAY) for event in _founding()]
    said += [(entry.event, entry.at) for entry in record.entries]
    for offset, (event, at) in enumerate(said):
        message = signed(event)
        yield Entry(offset, to_ms(at), message.key, message.value, message.headers)


def _delivered(routed: Sequence[Judged]) -> tuple[Delivered, ...]:
    return tuple(
        Delivered(number, j.record_ms, j.outcome, j.reason, j.entry.key, j.entry.value, j.entry.headers)
        for number, j in enumerate(routed, start=1)
    )


def _shown(judged: Judged) -> Shown:
    entry = judged.entry
    return Shown(entry.offset, entry.appended_ms, entry.key, entry.value, judged.outcome, judged.reason)


def referrals_of(case: Case | None) -> dict[str, Json]:
    """A case's referrals as a database keeps them."""
    found: dict[str, Json] = json.loads(dump_case(case))["referrals"] if case is not None else {}
    return found


def _node(member: str, record: Record, history: History, inbox: tuple[Delivered, ...]) -> Node:
    states = referrals_of(spec.side(member, record).known.case)
    outbox = tuple(_decided(member, history))
    return Node(outbox, inbox, states, states, len(inbox))


def _own(member: str, history: History) -> Iterator[Judged]:
    for judged in history.first.values():
        if judged.event is not None and judged.event.emitter == member != EXCHANGE:
            yield judged


def _decided(member: str, history: History) -> Iterator[Decided]:
    for position, judged in enumerate(_own(member, history)):
        if judged.event is not None and judged.entry.value is not None:
            told = (judged.outcome, judged.reason)
            yield Decided(judged.event.id, position, judged.event.subject, judged.entry.value, *told)


def _answered(history: History) -> Iterator[Answered]:
    for judged in history.first.values():
        if judged.event is not None and judged.event.emitter in spec.AGENCIES:
            yield Answered(judged.event.emitter, judged.event.id, judged.event.subject)
