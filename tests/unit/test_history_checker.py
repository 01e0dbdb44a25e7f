"""The history checker finds and names each fault that is planted in a sound history."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import pytest

from handoff.record.events import case as c
from handoff.record.events import referral as r
from history_checker.checks import Violation, find_differences
from history_checker.history import read_history
from history_checker.snapshot import Json, ObservedInboxEntry, ObservedTimelineRow, ReferralKey, Snapshot
from tests.support.dsl import spec
from tests.support.dsl.builders import REFERRAL, key_of, signed
from tests.support.dsl.spec import CASE, LAWYER, POLICE, SHELTER, Record, Sent
from tests.support.parts.checked_record import snapshot_of

T = TypeVar("T")


@pytest.fixture(scope="module")
def sound() -> Snapshot:
    """A referral that is delivered, accepted and started. Its source cancels too late and withdraws the release."""
    record = Record()
    record.send(
        *spec.requested(),
        Sent(SHELTER, r.ReferralDelivered(referral=REFERRAL)),
        Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL)),
        Sent(POLICE, r.ReferralCancelled(referral=REFERRAL)),
        Sent(SHELTER, r.ReferralStarted(referral=REFERRAL, kind="arrival")),
        Sent(POLICE, c.ReleaseWithdrawn(scope="all")),
    )
    record.append(record.entries[-1].event)
    return snapshot_of(record)


def differences(snapshot: Snapshot) -> list[Violation]:
    return list(find_differences(snapshot, read_history(snapshot)))


def test_a_sound_history_has_no_findings(sound: Snapshot) -> None:
    """Lost races, consequences and duplicates on the record are no faults."""
    assert differences(sound) == []
    judged = {entry.outcome for entry in read_history(sound).judged}
    assert judged == {"effective", "ineffective", "duplicate"}


def test_an_entry_sent_twice_to_an_inbox_is_no_fault(sound: Snapshot) -> None:
    twice = sound.inboxes[POLICE]
    assert differences(replace(sound, inboxes={**sound.inboxes, POLICE: (*twice, twice[2], twice[-1])})) == []


# Faults to plant


def _dropped_inbox_entry(snapshot: Snapshot) -> Snapshot:
    return _with_inbox(snapshot, lambda inbox: (*inbox[:-3], *inbox[-2:]))


def _swapped_inbox_entries(snapshot: Snapshot) -> Snapshot:
    def swapped(inbox: tuple[ObservedInboxEntry, ...]) -> tuple[ObservedInboxEntry, ...]:
        one, other = inbox[-2], inbox[-1]
        return (*inbox[:-2], replace(other, sequence=one.sequence), replace(one, sequence=other.sequence))

    return _with_inbox(snapshot, swapped)


def _repeated_inbox_entry(snapshot: Snapshot) -> Snapshot:
    return _with_inbox(snapshot, lambda inbox: (*inbox, replace(inbox[-1], sequence=inbox[-1].sequence + 1)))


def _changed_verdict(snapshot: Snapshot) -> Snapshot:
    return _with_inbox(
        snapshot, lambda inbox: (*inbox[:-1], replace(inbox[-1], outcome="ineffective", reason="accepted"))
    )


def _with_inbox(
    snapshot: Snapshot, change: Callable[[tuple[ObservedInboxEntry, ...]], tuple[ObservedInboxEntry, ...]]
) -> Snapshot:
    return replace(snapshot, inboxes={**snapshot.inboxes, SHELTER: change(snapshot.inboxes[SHELTER])})


def _second_decision(snapshot: Snapshot) -> Snapshot:
    """One command became two decisions with two ids, and both are on the record."""
    event = spec.Record().envelope(Sent(POLICE, c.CasesLinked(other_case=CASE)))
    again = event.model_copy(update={"id": spec.nth_id(900)})
    entry = replace(snapshot.record[-1], offset=len(snapshot.record), value=signed(again).value)
    message = signed(again, key_of(POLICE))
    entry = replace(entry, key=message.key, headers=message.headers)
    node = snapshot.nodes[POLICE]
    row = replace(node.outbox[-1], id=str(again.id), position=99, value=entry.value or b"", outcome="effective")
    return replace(
        snapshot,
        record=(*snapshot.record, entry),
        nodes={**snapshot.nodes, POLICE: replace(node, outbox=(*node.outbox, row))},
    )


def _lost_command(snapshot: Snapshot) -> Snapshot:
    """The command was answered and stored, and never reached the record."""
    node = snapshot.nodes[POLICE]
    lost = replace(node.outbox[-1], id=str(spec.nth_id(901)), position=99, value=b"{}", outcome=None)
    answer = replace(snapshot.answered[0], member=POLICE, event=lost.id)
    nodes = {**snapshot.nodes, POLICE: replace(node, outbox=(*node.outbox, lost))}
    return replace(snapshot, nodes=nodes, answered=(*snapshot.answered, answer))


def _command_missing_in_outbox(snapshot: Snapshot) -> Snapshot:
    """The command was answered, and the node's database does not have it."""
    node = snapshot.nodes[SHELTER]
    return replace(snapshot, nodes={**snapshot.nodes, SHELTER: replace(node, outbox=node.outbox[:-1])})


def _out_of_order(snapshot: Snapshot) -> Snapshot:
    """A node decided two events in one order, and the record has them in the other."""
    node = snapshot.nodes[SHELTER]
    first, second = node.outbox[-2:]
    swapped = (replace(first, position=second.position), replace(second, position=first.position))
    return replace(snapshot, nodes={**snapshot.nodes, SHELTER: replace(node, outbox=(*node.outbox[:-2], *swapped))})


def _with_other_state(states: Mapping[ReferralKey, Json]) -> Mapping[ReferralKey, Json]:
    key = ReferralKey(str(CASE), str(REFERRAL))
    return {**states, key: {**states[key], "state": "completed"}}


def _edited_case(snapshot: Snapshot) -> Snapshot:
    node = snapshot.nodes[SHELTER]
    return replace(snapshot, nodes={**snapshot.nodes, SHELTER: replace(node, states=_with_other_state(node.states))})


def _edited_work_list(snapshot: Snapshot) -> Snapshot:
    node = snapshot.nodes[POLICE]
    return replace(
        snapshot, nodes={**snapshot.nodes, POLICE: replace(node, work_list=_with_other_state(node.work_list))}
    )


def _edited_exchange(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, exchange=replace(snapshot.exchange, states=_with_other_state(snapshot.exchange.states)))


def _edited_handoff(snapshot: Snapshot) -> Snapshot:
    return replace(
        snapshot, projection=replace(snapshot.projection, handoffs=_with_other_state(snapshot.projection.handoffs))
    )


def _referral_at_a_third_party(snapshot: Snapshot) -> Snapshot:
    node = replace(snapshot.nodes[LAWYER], states=snapshot.nodes[SHELTER].states)
    return replace(snapshot, nodes={**snapshot.nodes, LAWYER: node})


def _missing_timeline_row(snapshot: Snapshot) -> Snapshot:
    return _with_rows(snapshot, lambda rows: (*rows[:5], *rows[6:]))


def _rewritten_timeline_row(snapshot: Snapshot) -> Snapshot:
    return _with_rows(snapshot, lambda rows: (*rows[:-1], replace(rows[-1], value=b"{}")))


def _with_rows(
    snapshot: Snapshot, change: Callable[[tuple[ObservedTimelineRow, ...]], tuple[ObservedTimelineRow, ...]]
) -> Snapshot:
    return replace(snapshot, projection=replace(snapshot.projection, entries=change(snapshot.projection.entries)))


def _unsent_entry(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, exchange=replace(snapshot.exchange, pending={"entries not sent": 1}))


def _unread_inbox_entry(snapshot: Snapshot) -> Snapshot:
    node = replace(snapshot.nodes[SHELTER], sequence=snapshot.nodes[SHELTER].sequence - 1)
    return replace(snapshot, nodes={**snapshot.nodes, SHELTER: node})


@pytest.mark.parametrize(
    ("plant", "check", "component"),
    [
        (_dropped_inbox_entry, "inbox", "in.shelter"),
        (_swapped_inbox_entries, "inbox", "in.shelter"),
        (_repeated_inbox_entry, "inbox", "in.shelter"),
        (_changed_verdict, "inbox", "in.shelter"),
        (_second_decision, "answered", POLICE),
        (_lost_command, "answered", POLICE),
        (_command_missing_in_outbox, "answered", SHELTER),
        (_out_of_order, "outbox", SHELTER),
        (_edited_case, "state", "shelter's cases"),
        (_edited_work_list, "state", "police's work list"),
        (_edited_exchange, "state", "exchange's cases"),
        (_edited_handoff, "state", "handoffs"),
        (_referral_at_a_third_party, "state", LAWYER),
        (_missing_timeline_row, "timeline", "entries"),
        (_rewritten_timeline_row, "timeline", "entries"),
        (_unsent_entry, "pending", "exchange"),
        (_unread_inbox_entry, "pending", SHELTER),
    ],
)
def test_a_planted_fault_is_found_and_named(
    sound: Snapshot, plant: Callable[[Snapshot], Snapshot], check: str, component: str
) -> None:
    assert (check, component) in {(finding.check, finding.component) for finding in differences(plant(sound))}


def test_a_forged_entry_on_the_record_is_not_folded(sound: Snapshot) -> None:
    """The checker verifies signatures: an entry signed with another member's key is invalid."""
    last = next(entry for entry in reversed(sound.record) if entry.key == str(CASE).encode())
    forged = signed(spec.Record().envelope(Sent(POLICE, c.CasesLinked(other_case=CASE))), key_of(LAWYER))
    entry = replace(last, offset=len(sound.record), value=forged.value, headers=forged.headers)
    judged = read_history(replace(sound, record=(*sound.record, entry))).judged[-1]
    assert (judged.outcome, judged.reason) == ("invalid", "key_not_owner")
