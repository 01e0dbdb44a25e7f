"""The record of the tests' pure exchange as a snapshot for the history checker."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from handoff.domain.case import Case
from handoff.domain.state_codec import dump_case
from handoff.record import codec, signing
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE, Event
from history_checker.history import CheckedHistory, JudgedEntry
from history_checker.snapshot import (
    ExchangeSnapshot,
    Json,
    NodeSnapshot,
    ObservedCommand,
    ObservedInboxEntry,
    ObservedOutboxRow,
    ObservedTimelineRow,
    ProjectionSnapshot,
    RecordEntry,
    ReferralKey,
    Snapshot,
)
from history_checker.state import JurisdictionState
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, JURISDICTION, signed
from tests.support.dsl.spec import T0, Record


def snapshot_of(record: Record) -> Snapshot:
    """Return the snapshot of an installation without faults, as the product's own rules fill it."""
    entries = tuple(_entries(record))
    history = UnsignedHistory(JurisdictionState(JURISDICTION), GENERATION, "")
    for entry in entries:
        history.append(entry)
    states = {key: state for case in record.cases.values() for key, state in _referrals_of(case).items()}
    inboxes = {member: _inbox(history.inboxes[member]) for member in spec.MEMBERS}
    return Snapshot(
        jurisdiction=JURISDICTION,
        generation=GENERATION,
        genesis=signing.sha256(codec.encode(spec.founding())),
        record=entries,
        inboxes=inboxes,
        nodes={member: _node_snapshot(member, record, history, inboxes[member]) for member in spec.MEMBERS},
        exchange=ExchangeSnapshot(len(entries), states, {member: len(inboxes[member]) for member in spec.MEMBERS}),
        projection=ProjectionSnapshot(len(entries), tuple(map(_timeline_row, history.judged)), states, states),
        answered=tuple(_answered(history)),
    )


class UnsignedHistory(CheckedHistory):
    """History with unverified signatures: the tests' pure exchange verifies none either."""

    __slots__ = ()

    def _invalid_reason(self, _entry: RecordEntry, _event: object, _at: datetime) -> str | None:
        return None


def history_of(record: Record) -> CheckedHistory:
    """Return the record as the checker reads it, from the founding on."""
    history = UnsignedHistory(JurisdictionState(JURISDICTION), GENERATION, "")
    for entry in _entries(record):
        history.append(entry)
    return history


def founding_length() -> int:
    """Return the number of entries that precede the first event about a case."""
    return len(list(_founding()))


def _founding() -> Iterator[Event[Any]]:
    yield from spec.foundation()


def _entries(record: Record) -> Iterator[RecordEntry]:
    events = [(event, T0 - spec.DAY) for event in _founding()]
    events += [(entry.event, entry.at) for entry in record.entries]
    for offset, (event, at) in enumerate(events):
        message = signed(event)
        yield RecordEntry(offset, to_ms(at), message.key, message.value, message.headers)


def _inbox(routed: Sequence[JudgedEntry]) -> tuple[ObservedInboxEntry, ...]:
    return tuple(
        ObservedInboxEntry(number, j.record_ms, j.outcome, j.reason, j.entry.key, j.entry.value, j.entry.headers)
        for number, j in enumerate(routed, start=1)
    )


def _timeline_row(judged: JudgedEntry) -> ObservedTimelineRow:
    entry = judged.entry
    return ObservedTimelineRow(entry.offset, entry.appended_ms, entry.key, entry.value, judged.outcome, judged.reason)


def _referrals_of(case: Case | None) -> dict[ReferralKey, Json]:
    """Return the referrals of a case as a database stores them."""
    if case is None:
        return {}
    stored: dict[str, Json] = json.loads(dump_case(case))["referrals"]
    return {ReferralKey(str(case.id), referral): state for referral, state in stored.items()}


def _node_snapshot(
    member: str, record: Record, history: CheckedHistory, inbox: tuple[ObservedInboxEntry, ...]
) -> NodeSnapshot:
    states = _referrals_of(spec.side(member, record).known.case)
    outbox = tuple(_outbox_rows(member, history))
    return NodeSnapshot(outbox, inbox, states, states, len(inbox))


def _own_entries(member: str, history: CheckedHistory) -> Iterator[JudgedEntry]:
    for judged in history.first.values():
        if judged.event is not None and judged.event.emitter == member != EXCHANGE:
            yield judged


def _outbox_rows(member: str, history: CheckedHistory) -> Iterator[ObservedOutboxRow]:
    for position, judged in enumerate(_own_entries(member, history)):
        if judged.event is not None and judged.entry.value is not None:
            event, value = judged.event, judged.entry.value
            yield ObservedOutboxRow(event.id, position, event.subject, value, judged.outcome, judged.reason)


def _answered(history: CheckedHistory) -> Iterator[ObservedCommand]:
    for judged in history.first.values():
        if judged.event is not None and judged.event.emitter in spec.AGENCIES:
            yield ObservedCommand(judged.event.emitter, judged.event.id, judged.event.subject)
