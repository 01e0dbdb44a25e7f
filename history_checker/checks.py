"""What must hold between the record and everything else: each check yields what it finds amiss, by name."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import timedelta
from itertools import zip_longest

from history_checker.evidence import Decided, Delivered, Evidence, Json, Node
from history_checker.history import History, Judged
from history_checker.reading import at_ms, moment, sha256
from history_checker.world import Referral

_CODES = ("source", "target", "service", "urgency", "state", "code", "disclosure_open")
_TIMES = (
    "requested_at", "since", "delivered_at", "opened_at", "answered_at", "started_at", "closed_at", "paused_at",
    "cancellation_asked_at",
)  # fmt: skip
# A person's command has a random id; what a node decides by itself has one that follows from its cause.
_RANDOM = "4"
_SAID_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something amiss: which promise, where, and what exactly."""

    check: str
    where: str
    what: str


def findings(evidence: Evidence, history: History) -> Iterator[Finding]:
    """Everything that is amiss; nothing if the promises hold."""
    for check in (_answered, _outboxes, _inboxes, _sides, _hub, _timeline, _pending):
        yield from check(evidence, history)


# What was answered is on the record, once, in its order


def _answered(evidence: Evidence, history: History) -> Iterator[Finding]:
    for answer in evidence.answered:
        kept = {row.id for row in evidence.nodes[answer.member].outbox}
        if answer.event not in kept:
            yield Finding("answered", answer.member, f"{answer.event} was answered and is not in the outbox")
        if (answer.subject, answer.event) not in history.first:
            yield Finding("answered", answer.member, f"{answer.event} was answered and is not on the record")
    told = {(answer.member, answer.event) for answer in evidence.answered}
    for member in {member for member, _ in told}:
        for row in evidence.nodes[member].outbox:
            if row.id[14] == _RANDOM and (member, row.id) not in told:
                yield Finding("answered", member, f"{row.id} was decided, and nobody was answered so: a doubled effect")


def _outboxes(evidence: Evidence, history: History) -> Iterator[Finding]:
    refused = {
        j.event.data["value_hash"] for j in history.judged if j.event and j.event.type == "submission.refused.v1"
    }
    for member, node in evidence.nodes.items():
        last: dict[str, tuple[int, Decided]] = {}
        for row in sorted(node.outbox, key=lambda row: row.position):
            judged = history.first.get((row.subject, row.id))
            if judged is None:
                if sha256(row.value) not in refused:
                    yield Finding("outbox", member, f"{row.id} is not on the record")
                continue
            yield from _row_told_right(member, row, judged)
            offset, before = last.get(row.subject, (-1, row))
            if judged.entry.offset < offset:
                yield Finding("outbox", member, f"{row.id} stands before {before.id}, which was decided earlier")
            last[row.subject] = (judged.entry.offset, row)


def _row_told_right(member: str, row: Decided, judged: Judged) -> Iterator[Finding]:
    if judged.entry.value != row.value:
        yield Finding("outbox", member, f"{row.id} has other bytes on the record")
    if row.outcome is not None and (row.outcome, row.reason) != (judged.outcome, judged.reason):
        told = f"told {row.outcome} ({row.reason}), judged {judged.outcome} ({judged.reason})"
        yield Finding("outbox", member, f"{row.id}: {told}")


# An inbox is the routing of the record


def _inboxes(evidence: Evidence, history: History) -> Iterator[Finding]:
    for member in evidence.inboxes.keys() | history.inboxes.keys():
        due = [_due(number, judged) for number, judged in enumerate(history.inboxes.get(member, ()), start=1)]
        topic = _once(evidence.inboxes.get(member, ()))
        yield from _differences("inbox", f"in.{member}", due, topic)
        given = evidence.exchange.given.get(member, 0)
        if given != len(due):
            yield Finding("inbox", "exchange", f"{member} was given {given} entries of {len(due)}")
        if member in evidence.nodes:
            yield from _differences("inbox", f"{member}'s database", due, evidence.nodes[member].inbox)


def _due(sequence: int, judged: Judged) -> Delivered:
    entry = judged.entry
    told = (sequence, judged.record_ms, judged.outcome, judged.reason)
    return Delivered(*told, entry.key, entry.value, entry.headers)


def _once(found: tuple[Delivered, ...]) -> list[Delivered]:
    """An inbox topic as a node reads it: what is sent twice is skipped, so that only its first appearance counts."""
    taken: list[Delivered] = []
    for entry in found:
        if not taken or entry.sequence > taken[-1].sequence:
            taken.append(entry)
    return taken


def _differences(
    check: str, where: str, due: list[Delivered], found: list[Delivered] | tuple[Delivered, ...]
) -> Iterator[Finding]:
    for number, (wanted, had) in enumerate(zip_longest(due, found), start=1):
        if wanted == had:
            continue
        if had is None:
            yield Finding(check, where, f"ends at {number - 1} of {len(due)}")
        elif wanted is None:
            yield Finding(check, where, f"goes on to {len(found)} after {len(due)}")
        else:
            yield Finding(check, where, f"at {number}: {_named(had)} where {_named(wanted)} is due")
        # The first difference says what happened; all that follow it differ as well.
        return


def _named(entry: Delivered) -> str:
    value = sha256(entry.value or b"")[:12]
    return f"sequence {entry.sequence} ({value}, {entry.outcome}, {entry.reason}, {entry.record_ms})"


# Both sides see the same state, and it is the record's


def _sides(evidence: Evidence, history: History) -> Iterator[Finding]:
    for referral in history.world.referrals.values():
        for member in (referral.source, referral.target):
            if member in evidence.nodes:
                yield from _same(referral, f"{member}'s cases", evidence.nodes[member].states)
                yield from _same(referral, f"{member}'s work list", evidence.nodes[member].work_list)
    for member, node in evidence.nodes.items():
        for referral_id in node.states:
            own = history.world.referrals.get(referral_id)
            if own is None or member not in (own.source, own.target):
                yield Finding("state", member, f"knows of {referral_id}, in which it has no part")


def _hub(evidence: Evidence, history: History) -> Iterator[Finding]:
    places = {
        "the exchange's cases": evidence.exchange.states,
        "the projection's cases": evidence.timeline.states,
        "the handoffs": evidence.timeline.handoffs,
    }
    for where, states in places.items():
        for referral in history.world.referrals.values():
            yield from _same(referral, where, states)
        for extra in states.keys() - history.world.referrals.keys():
            yield Finding("state", where, f"{extra} is not on the record")


def _same(referral: Referral, where: str, states: Mapping[str, Json]) -> Iterator[Finding]:
    found = states.get(referral.id)
    if found is None:
        yield Finding("state", where, f"{referral.id} is missing")
        return
    for name in found.keys() & {*_CODES, *_TIMES}:
        own = getattr(referral, name)
        had = moment(found[name]) if name in _TIMES and found[name] is not None else found[name]
        if had != own:
            yield Finding("state", where, f"{referral.id}: {name} is {found[name]}, on the record {own}")


# The timeline is the record


def _timeline(evidence: Evidence, history: History) -> Iterator[Finding]:
    for judged, row in zip_longest(history.judged, evidence.timeline.entries):
        if judged is None:
            yield Finding("timeline", "entries", f"offset {row.offset} is not on the record")
        elif row is None:
            yield Finding("timeline", "entries", f"offset {judged.entry.offset} is missing")
        else:
            entry = judged.entry
            due = (entry.offset, entry.appended_ms, entry.key, entry.value, judged.outcome, judged.reason)
            if astuple(row) == due:
                continue
            told = f"at offset {entry.offset} ({judged.outcome}, {judged.reason}) stands offset {row.offset}"
            yield Finding("timeline", "entries", f"{told} ({row.outcome}, {row.reason})")
        return


# Nothing waits for ever


def _pending(evidence: Evidence, history: History) -> Iterator[Finding]:
    end = len(history.judged)
    for member, node in evidence.nodes.items():
        yield from _waits(member, node)
        due = len(history.inboxes.get(member, ()))
        if node.sequence != due:
            yield Finding("pending", member, f"has read {node.sequence} of {due} inbox entries")
    for name, count in evidence.exchange.waiting.items():
        if count:
            yield Finding("pending", "exchange", f"{count} {name}")
    for where, position in (("exchange", evidence.exchange.next_offset), ("timeline", evidence.timeline.next_offset)):
        if position != end:
            yield Finding("pending", where, f"has read {position} of {end} entries")
    yield from _late(history)


def _waits(member: str, node: Node) -> Iterator[Finding]:
    unanswered = [row for row in node.outbox if row.outcome is None]
    if unanswered:
        yield Finding("pending", member, f"{len(unanswered)} own events without an echo, the first {unanswered[0].id}")
    for name, count in node.waiting.items():
        if count:
            yield Finding("pending", member, f"{count} {name}")


def _late(history: History) -> Iterator[Finding]:
    now = at_ms(history.judged[-1].record_ms) if history.judged else None
    for referral in history.world.referrals.values():
        for step in referral.steps:
            if now is not None and not step.missed and step.due < now - _SAID_WITHIN:
                yield Finding(
                    "pending", "exchange", f"{referral.id}: {step.name} was due at {step.due} and never said late"
                )
