"""Promises that hold between the record and every other part. Each check yields its findings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from itertools import zip_longest

from history_checker.history import CheckedHistory, JudgedEntry
from history_checker.parsing import Identity, parse_time, sha256, time_from_ms
from history_checker.snapshot import (
    Json,
    NodeSnapshot,
    ObservedInboxEntry,
    ObservedOutboxRow,
    ReferralKey,
    Snapshot,
)
from history_checker.state import Referral

_CODES = ("source", "target", "service", "urgency", "state", "code", "disclosure_open")
_TIMES = (
    "requested_at", "since", "delivered_at", "opened_at", "answered_at", "started_at", "closed_at",
    "cancellation_asked_at",
)  # fmt: skip
# The event of a person's command has a random id (UUID version 4, at this position of its text).
# The id of an event that a policy decides is derived from its cause.
_VERSION_POSITION, _RANDOM = 14, "4"
_MISS_REPORTED_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Violation:
    """Broken promise: the check, the component that differs, and the difference."""

    check: str
    component: str
    detail: str


def find_differences(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    """Run every check."""
    checks = (
        _check_answered, _check_outboxes, _check_inboxes, _check_nodes, _check_shared_states, _check_timeline,
        _check_pending,
    )  # fmt: skip
    for check in checks:
        yield from check(snapshot, history)


# Every answered command is on the record once, in the order of the outbox


def _check_answered(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    for answer in snapshot.answered:
        stored = {row.id for row in snapshot.nodes[answer.member].outbox}
        if answer.event not in stored:
            yield Violation("answered", answer.member, f"{answer.event} was answered and is not in the outbox")
        if Identity(answer.subject, answer.member, answer.event) not in history.first:
            yield Violation("answered", answer.member, f"{answer.event} was answered and is not on the record")
    answered = {(answer.member, answer.event) for answer in snapshot.answered}
    for member in {member for member, _ in answered}:
        for row in snapshot.nodes[member].outbox:
            if row.id[_VERSION_POSITION] == _RANDOM and (member, row.id) not in answered:
                detail = f"{row.id} is in the outbox and was not answered: possibly a second decision for one command"
                yield Violation("answered", member, detail)


def _check_outboxes(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    refused = {
        value_hash
        for j in history.judged
        if j.event and j.event.type == "submission.refused.v1"
        for value_hash in j.event.data["value_hashes"]
    }
    for member, node in snapshot.nodes.items():
        last: dict[str, tuple[int, ObservedOutboxRow]] = {}
        for row in sorted(node.outbox, key=lambda row: row.position):
            judged = history.first.get(Identity(row.subject, member, row.id))
            if judged is None:
                if sha256(row.value) not in refused:
                    yield Violation("outbox", member, f"{row.id} is not on the record")
                continue
            yield from _compare_outbox_row(member, row, judged)
            offset, previous = last.get(row.subject, (-1, row))
            if judged.entry.offset < offset:
                detail = f"{row.id} precedes {previous.id} on the record, although it was decided later"
                yield Violation("outbox", member, detail)
            last[row.subject] = (judged.entry.offset, row)


def _compare_outbox_row(member: str, row: ObservedOutboxRow, judged: JudgedEntry) -> Iterator[Violation]:
    if judged.entry.value != row.value:
        yield Violation("outbox", member, f"{row.id} has other bytes on the record")
    if row.outcome is not None and (row.outcome, row.reason) != (judged.outcome, judged.reason):
        stored, due = f"{row.outcome} ({row.reason})", f"{judged.outcome} ({judged.reason})"
        yield Violation("outbox", member, f"{row.id}: verdict is {stored}, on the record {due}")


# Every inbox is the routing of the record


def _check_inboxes(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    for member in snapshot.inboxes.keys() | history.inboxes.keys():
        due = [_inbox_entry(number, judged) for number, judged in enumerate(history.inboxes.get(member, ()), start=1)]
        topic = _without_repeated_sends(snapshot.inboxes.get(member, ()))
        yield from _compare_inboxes(f"in.{member}", due, topic)
        routed = snapshot.exchange.routed.get(member, 0)
        if routed != len(due):
            yield Violation("inbox", "exchange", f"routed {routed} of {len(due)} entries to {member}")
        if member in snapshot.nodes:
            yield from _compare_inboxes(f"{member}'s database", due, snapshot.nodes[member].inbox)


def _inbox_entry(sequence: int, judged: JudgedEntry) -> ObservedInboxEntry:
    entry = judged.entry
    return ObservedInboxEntry(
        sequence, judged.record_ms, judged.outcome, judged.reason, entry.key, entry.value, entry.headers
    )


def _without_repeated_sends(topic: tuple[ObservedInboxEntry, ...]) -> list[ObservedInboxEntry]:
    """Return an inbox topic as a node reads it: an entry with a known sequence is skipped."""
    entries: list[ObservedInboxEntry] = []
    for entry in topic:
        if not entries or entry.sequence > entries[-1].sequence:
            entries.append(entry)
    return entries


def _compare_inboxes(
    component: str, due: Sequence[ObservedInboxEntry], found: Sequence[ObservedInboxEntry]
) -> Iterator[Violation]:
    for number, (expected, actual) in enumerate(zip_longest(due, found), start=1):
        if expected == actual:
            continue
        if actual is None:
            yield Violation("inbox", component, f"ends at {number - 1} of {len(due)}")
        elif expected is None:
            yield Violation("inbox", component, f"has {len(found)} entries, {len(due)} are due")
        else:
            detail = f"entry {number} is {_describe(actual)}, on the record {_describe(expected)}"
            yield Violation("inbox", component, detail)
        # Report the first difference only: after it every entry differs.
        return


def _describe(entry: ObservedInboxEntry) -> str:
    value = sha256(entry.value or b"")[:12]
    return f"sequence {entry.sequence} ({value}, {entry.outcome}, {entry.reason}, {entry.record_ms})"


# Both sides of a referral have the state of the record


def _check_nodes(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    referrals = history.state.referrals
    for key, referral in referrals.items():
        for member in (referral.source, referral.target):
            if member in snapshot.nodes:
                yield from _compare_state(key, referral, f"{member}'s cases", snapshot.nodes[member].states)
                yield from _compare_state(key, referral, f"{member}'s work list", snapshot.nodes[member].work_list)
    for member, node in snapshot.nodes.items():
        for key in node.states:
            own = referrals.get(key)
            if own is None or member not in (own.source, own.target):
                yield Violation("state", member, f"has {key}, of which it is no side")


def _check_shared_states(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    components = {
        "exchange's cases": snapshot.exchange.states,
        "projection's cases": snapshot.projection.states,
        "handoffs": snapshot.projection.handoffs,
    }
    referrals = history.state.referrals
    for component, states in components.items():
        for key, referral in referrals.items():
            yield from _compare_state(key, referral, component, states)
        for extra in states.keys() - referrals.keys():
            yield Violation("state", component, f"{extra} is not on the record")


def _compare_state(
    key: ReferralKey, referral: Referral, component: str, states: Mapping[ReferralKey, Json]
) -> Iterator[Violation]:
    found = states.get(key)
    if found is None:
        yield Violation("state", component, f"{key} is missing")
        return
    for name in found.keys() & {*_CODES, *_TIMES}:
        expected = getattr(referral, name)
        actual = parse_time(found[name]) if name in _TIMES and found[name] is not None else found[name]
        if actual != expected:
            yield Violation("state", component, f"{key}: {name} is {found[name]}, on the record {expected}")


# The timeline is the record


def _check_timeline(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    for judged, row in zip_longest(history.judged, snapshot.projection.entries):
        if judged is None:
            yield Violation("timeline", "entries", f"offset {row.offset} is not on the record")
        elif row is None:
            yield Violation("timeline", "entries", f"offset {judged.entry.offset} is missing")
        else:
            entry = judged.entry
            expected = (entry.offset, entry.appended_ms, entry.key, entry.value, judged.outcome, judged.reason)
            if astuple(row) == expected:
                continue
            due = f"offset {entry.offset} ({judged.outcome}, {judged.reason})"
            yield Violation(
                "timeline", "entries", f"has offset {row.offset} ({row.outcome}, {row.reason}) in place of {due}"
            )
        return


# Nothing is left pending


def _check_pending(snapshot: Snapshot, history: CheckedHistory) -> Iterator[Violation]:
    end = len(history.judged)
    for member, node in snapshot.nodes.items():
        yield from _pending_at_node(member, node)
        due = len(history.inboxes.get(member, ()))
        if node.sequence != due:
            yield Violation("pending", member, f"has read {node.sequence} of {due} inbox entries")
    for name, count in snapshot.exchange.pending.items():
        if count:
            yield Violation("pending", "exchange", f"{count} {name}")
    positions = (("exchange", snapshot.exchange.next_offset), ("timeline", snapshot.projection.next_offset))
    for component, position in positions:
        if position != end:
            yield Violation("pending", component, f"has read {position} of {end} entries")
    yield from _unreported_misses(history)


def _pending_at_node(member: str, node: NodeSnapshot) -> Iterator[Violation]:
    without_echo = [row for row in node.outbox if row.outcome is None]
    if without_echo:
        detail = f"{len(without_echo)} own events without an echo, the first is {without_echo[0].id}"
        yield Violation("pending", member, detail)
    for name, count in node.pending.items():
        if count:
            yield Violation("pending", member, f"{count} {name}")


def _unreported_misses(history: CheckedHistory) -> Iterator[Violation]:
    if not history.judged:
        return
    reported_until = time_from_ms(history.judged[-1].record_ms) - _MISS_REPORTED_WITHIN
    for key, referral in history.state.referrals.items():
        for step in referral.steps:
            if not step.missed and step.due < reported_until:
                detail = f"{key}: {step.name} was due at {step.due}, and no deadline.missed is on the record"
                yield Violation("pending", "exchange", detail)
