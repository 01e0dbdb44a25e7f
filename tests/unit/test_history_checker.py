"""The history checker finds what it is there to find: each fault planted in a sound history is found and named."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import pytest

from handoff.record.events import case as c
from handoff.record.events import referral as r
from history_checker.checks import Finding, findings
from history_checker.evidence import Delivered, Evidence, Json, Shown
from history_checker.history import history_of
from tests.support.dsl import spec
from tests.support.dsl.builders import REFERRAL, key_of, signed
from tests.support.dsl.spec import CASE, LAWYER, POLICE, SHELTER, Record, Said
from tests.support.parts.checked_record import evidence_of

T = TypeVar("T")


@pytest.fixture(scope="module")
def sound() -> Evidence:
    """A referral that is delivered, accepted and begun, while its source tries to cancel too late and withdraws."""
    record = Record()
    record.say(
        *spec.requested(),
        Said(SHELTER, r.ReferralDelivered(referral=REFERRAL)),
        Said(SHELTER, r.ReferralAccepted(referral=REFERRAL)),
        Said(POLICE, r.ReferralCancelled(referral=REFERRAL)),
        Said(SHELTER, r.ReferralStarted(referral=REFERRAL, kind="arrival")),
        Said(POLICE, c.ReleaseWithdrawn(scope="all")),
    )
    record.append(record.entries[-1].event)
    return evidence_of(record)


def found(evidence: Evidence) -> list[Finding]:
    return list(findings(evidence, history_of(evidence)))


def test_nothing_is_found_where_nothing_is_amiss(sound: Evidence) -> None:
    """Lost races, consequences and repetitions on the record are no faults."""
    assert found(sound) == []
    judged = {entry.outcome for entry in history_of(sound).judged}
    assert judged == {"effective", "ineffective", "duplicate"}


def test_what_was_sent_twice_into_an_inbox_is_no_fault(sound: Evidence) -> None:
    twice = sound.inboxes[POLICE]
    assert found(replace(sound, inboxes={**sound.inboxes, POLICE: (*twice, twice[2], twice[-1])})) == []


# What was planted, and where it must be found


def _drop(evidence: Evidence) -> Evidence:
    return _with_inbox(evidence, lambda told: (*told[:-3], *told[-2:]))


def _swap(evidence: Evidence) -> Evidence:
    def swapped(told: tuple[Delivered, ...]) -> tuple[Delivered, ...]:
        one, other = told[-2], told[-1]
        return (*told[:-2], replace(other, sequence=one.sequence), replace(one, sequence=other.sequence))

    return _with_inbox(evidence, swapped)


def _double_in_inbox(evidence: Evidence) -> Evidence:
    return _with_inbox(evidence, lambda told: (*told, replace(told[-1], sequence=told[-1].sequence + 1)))


def _verdict_changed(evidence: Evidence) -> Evidence:
    return _with_inbox(evidence, lambda told: (*told[:-1], replace(told[-1], outcome="ineffective", reason="accepted")))


def _with_inbox(evidence: Evidence, change: Callable[[tuple[Delivered, ...]], tuple[Delivered, ...]]) -> Evidence:
    return replace(evidence, inboxes={**evidence.inboxes, SHELTER: change(evidence.inboxes[SHELTER])})


def _doubled_effect(evidence: Evidence) -> Evidence:
    """One command became two decisions, under two ids, and both went all the way."""
    event = spec.Record().envelope(Said(POLICE, c.CasesLinked(other_case=CASE)))
    again = event.model_copy(update={"id": spec.nth_id(900)})
    entry = replace(evidence.record[-1], offset=len(evidence.record), value=signed(again).value)
    message = signed(again, key_of(POLICE))
    entry = replace(entry, key=message.key, headers=message.headers)
    node = evidence.nodes[POLICE]
    row = replace(node.outbox[-1], id=str(again.id), position=99, value=entry.value or b"", outcome="effective")
    return replace(
        evidence,
        record=(*evidence.record, entry),
        nodes={**evidence.nodes, POLICE: replace(node, outbox=(*node.outbox, row))},
    )


def _lost_command(evidence: Evidence) -> Evidence:
    """It was answered and stored, and never came further."""
    node = evidence.nodes[POLICE]
    lost = replace(node.outbox[-1], id=str(spec.nth_id(901)), position=99, value=b"{}", outcome=None)
    answer = replace(evidence.answered[0], member=POLICE, event=lost.id)
    nodes = {**evidence.nodes, POLICE: replace(node, outbox=(*node.outbox, lost))}
    return replace(evidence, nodes=nodes, answered=(*evidence.answered, answer))


def _forgotten_command(evidence: Evidence) -> Evidence:
    """It was answered, and the node's database does not know it."""
    node = evidence.nodes[SHELTER]
    return replace(evidence, nodes={**evidence.nodes, SHELTER: replace(node, outbox=node.outbox[:-1])})


def _out_of_order(evidence: Evidence) -> Evidence:
    """A node decided two things in one order, and the record holds them in the other."""
    node = evidence.nodes[SHELTER]
    first, second = node.outbox[-2:]
    swapped = (replace(first, position=second.position), replace(second, position=first.position))
    return replace(evidence, nodes={**evidence.nodes, SHELTER: replace(node, outbox=(*node.outbox[:-2], *swapped))})


def _edited(states: Mapping[str, Json]) -> Mapping[str, Json]:
    return {**states, str(REFERRAL): {**states[str(REFERRAL)], "state": "completed"}}


def _edited_case(evidence: Evidence) -> Evidence:
    node = evidence.nodes[SHELTER]
    return replace(evidence, nodes={**evidence.nodes, SHELTER: replace(node, states=_edited(node.states))})


def _edited_work_list(evidence: Evidence) -> Evidence:
    node = evidence.nodes[POLICE]
    return replace(evidence, nodes={**evidence.nodes, POLICE: replace(node, work_list=_edited(node.work_list))})


def _edited_exchange(evidence: Evidence) -> Evidence:
    return replace(evidence, exchange=replace(evidence.exchange, states=_edited(evidence.exchange.states)))


def _edited_handoff(evidence: Evidence) -> Evidence:
    return replace(evidence, timeline=replace(evidence.timeline, handoffs=_edited(evidence.timeline.handoffs)))


def _told_to_a_stranger(evidence: Evidence) -> Evidence:
    node = replace(evidence.nodes[LAWYER], states=evidence.nodes[SHELTER].states)
    return replace(evidence, nodes={**evidence.nodes, LAWYER: node})


def _missing_row(evidence: Evidence) -> Evidence:
    return _with_rows(evidence, lambda rows: (*rows[:5], *rows[6:]))


def _rewritten_row(evidence: Evidence) -> Evidence:
    return _with_rows(evidence, lambda rows: (*rows[:-1], replace(rows[-1], value=b"{}")))


def _with_rows(evidence: Evidence, change: Callable[[tuple[Shown, ...]], tuple[Shown, ...]]) -> Evidence:
    return replace(evidence, timeline=replace(evidence.timeline, entries=change(evidence.timeline.entries)))


def _waiting_for_ever(evidence: Evidence) -> Evidence:
    return replace(evidence, exchange=replace(evidence.exchange, waiting={"entries not sent": 1}))


def _behind(evidence: Evidence) -> Evidence:
    node = replace(evidence.nodes[SHELTER], sequence=evidence.nodes[SHELTER].sequence - 1)
    return replace(evidence, nodes={**evidence.nodes, SHELTER: node})


@pytest.mark.parametrize(
    ("plant", "check", "where"),
    [
        (_drop, "inbox", "in.shelter"),
        (_swap, "inbox", "in.shelter"),
        (_double_in_inbox, "inbox", "in.shelter"),
        (_verdict_changed, "inbox", "in.shelter"),
        (_doubled_effect, "answered", POLICE),
        (_lost_command, "answered", POLICE),
        (_forgotten_command, "answered", SHELTER),
        (_out_of_order, "outbox", SHELTER),
        (_edited_case, "state", "shelter's cases"),
        (_edited_work_list, "state", "police's work list"),
        (_edited_exchange, "state", "the exchange's cases"),
        (_edited_handoff, "state", "the handoffs"),
        (_told_to_a_stranger, "state", LAWYER),
        (_missing_row, "timeline", "entries"),
        (_rewritten_row, "timeline", "entries"),
        (_waiting_for_ever, "pending", "exchange"),
        (_behind, "pending", SHELTER),
    ],
)
def test_a_planted_fault_is_found_and_named(
    sound: Evidence, plant: Callable[[Evidence], Evidence], check: str, where: str
) -> None:
    assert (check, where) in {(finding.check, finding.where) for finding in found(plant(sound))}


def test_a_forged_entry_on_the_record_is_not_folded(sound: Evidence) -> None:
    """The checker takes nobody's word unsigned: with another's key the entry is invalid."""
    last = next(entry for entry in reversed(sound.record) if entry.key == str(CASE).encode())
    forged = signed(spec.Record().envelope(Said(POLICE, c.CasesLinked(other_case=CASE))), key_of(LAWYER))
    entry = replace(last, offset=len(sound.record), value=forged.value, headers=forged.headers)
    judged = history_of(replace(sound, record=(*sound.record, entry))).judged[-1]
    assert (judged.outcome, judged.reason) == ("invalid", "key_not_owner")
