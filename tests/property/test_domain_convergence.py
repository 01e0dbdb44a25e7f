"""Convergence: for any events in any order, both sides of a referral have the state of the exchange."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from handoff.domain.case import Fact, Referral
from handoff.domain.consequences import deadline_missed
from handoff.record.codes import DeadlineStep, EndScope, ReleasePurpose, StartKind, State
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.events.deadline import DeadlineMissed
from tests.property.programs import HONEST, Move, beginnings, many_moves, played
from tests.support.dsl import spec
from tests.support.dsl.spec import LAWYER, POLICE, REFERRAL, SHELTER, Record, Sent

# A target never learns that its source asked another one next, nor how late that was.
_OF_THE_SOURCE_ALONE = ("seen", "seen_at_transition", "next", "hop")
_REDIRECTED = Fact(r.ReferralRedirected.name(), "source")


def _as_the_target_may_know(referral: Referral) -> dict[str, Any]:
    view = structs.asdict(referral)
    for name in _OF_THE_SOURCE_ALONE:
        del view[name]
    view["facts"] = tuple(fact for fact in referral.facts if fact != _REDIRECTED)
    # After a rejection, the only step that may wait for an acknowledgement is the next referral.
    hidden = {DeadlineStep.NEXT_REFERRAL} | ({DeadlineStep.ACKNOWLEDGED} if referral.state is State.REJECTED else set())
    view["steps"] = tuple(step for step in referral.steps if step.step not in hidden)
    return view


def _assert_both_sides_agree(
    record: Record, redelivered: tuple[int, ...] = (), members: tuple[str, ...] = spec.AGENCIES
) -> None:
    sides = {member: spec.side(member, record, redelivered) for member in members}
    for referral in record.case().referrals.values():
        assert sides[referral.source].referrals[referral.id] == referral
        at_target = sides[referral.target].referrals[referral.id]
        assert _as_the_target_may_know(at_target) == _as_the_target_may_know(referral)
        for member in set(members) - {referral.source, referral.target}:
            assert referral.id not in sides[member].referrals


@given(beginning=beginnings, moves=many_moves, redelivered=st.lists(st.integers(0, 30), max_size=5))
@settings(max_examples=150)
def test_both_sides_and_the_exchange_hold_the_same_state_after_any_events(
    beginning: tuple[Sent, ...], moves: list[Move], redelivered: list[int]
) -> None:
    """With repetitions on the record, redeliveries from the inbox, forged events and late consequences."""
    _assert_both_sides_agree(played(moves, beginning), tuple(redelivered))


# Every interleaving of two institutions, a withdrawal and a deadline

_ASKED = (*spec.requested(), *spec.another(spec.S.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION, number=6))
_SOURCE = (
    r.AcceptanceClaimed(referral=REFERRAL, via="phone"),
    r.CancellationRequested(referral=REFERRAL),
    r.ReferralFailed(referral=REFERRAL, code="no_arrival"),
)
_TARGET = (
    r.ReferralDelivered(referral=REFERRAL),
    r.ReferralAccepted(referral=REFERRAL),
    r.ReferralStarted(referral=REFERRAL, kind=StartKind.ARRIVAL),
)
_WITHDRAWAL = c.ReleaseWithdrawn(scope=EndScope.ALL)


_BEGUN = spec.given(_ASKED).record


def _interleavings(counts: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every order of ``counts[i]`` moves of each actor ``i``, whose own moves keep their order."""
    if not any(counts):
        yield ()
    for actor, left in enumerate(counts):
        if left:
            fewer = (*counts[:actor], left - 1, *counts[actor + 1 :])
            yield from ((actor, *rest) for rest in _interleavings(fewer))


def _play(order: tuple[int, ...], lag: int) -> Record:
    """The record of one interleaving; the exchange appends what follows ``lag`` moves later, and all comes twice."""
    record = _BEGUN.copy()
    holder, step = record.step(DeadlineStep.DELIVERED)
    acts: tuple[Iterator[Any], ...] = (iter(_SOURCE), iter(_TARGET), iter((_WITHDRAWAL,)), iter((None,)))
    due: list[int] = []
    for position, actor in enumerate(order):
        body, record.now = next(acts[actor]), record.now + spec.SECOND
        if body is None:
            record.now = step.due_at
            event = deadline_missed(record.known(), holder, step, attempt=0)
        else:
            event = record.envelope(Sent((POLICE, SHELTER, LAWYER)[actor], body))
        due += [position + lag] * len(record.append(event).follows)
        record.append(event)
        while due and due[0] <= position:
            del due[0]
            record.append(record.waiting.popleft())
    record.settle()
    return record


@pytest.mark.parametrize("lag", [0, 2])
def test_every_interleaving_of_two_institutions_a_withdrawal_and_a_deadline_agrees(lag: int) -> None:
    for order in _interleavings((3, 3, 1, 1)):
        record = _play(order, lag)
        _assert_both_sides_agree(record, redelivered=(2, 5), members=(POLICE, SHELTER, LAWYER))
        _assert_the_withdrawal_held(record)
        assert sum(isinstance(e.event.data, DeadlineMissed) and e.verdict.is_effective for e in record.entries) < 2


def _assert_the_withdrawal_held(record: Record) -> None:
    """It beats every acceptance behind it, and closes disclosure where it comes after one."""
    counted = [type(e.event.data) for e in record.entries if e.verdict.is_effective]
    withdrawn = counted.index(c.ReleaseWithdrawn)
    assert r.ReferralAccepted not in counted[withdrawn:]
    referral = record.referral()
    if r.ReferralAccepted in counted:
        assert not referral.disclosure_open or State.FAILED is referral.state
    else:
        assert referral.state is State.REVOKED


def test_the_programs_can_reach_every_state() -> None:
    """The honest moves that are drawn above are enough to bring referrals into every state."""
    reached: set[State] = set()
    for first in HONEST:
        for second in HONEST[:60:7]:
            record = Record()
            record.send(*spec.started(), first, second)
            reached |= {referral.state for referral in record.case().referrals.values()}
            record = Record()
            record.send(*spec.requested(), first, second)
            reached |= {referral.state for referral in record.case().referrals.values()}
    assert reached == set(State) - {State.ABSENT}
    assert structs.replace(record.referral()) == record.referral()
