"""The five segments of a handoff: who was waited for, and how long."""

from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handoff.domain.case import Ending, HoldPeriod
from handoff.domain.handoff_clock import CLOCK_VERSION, Segment, Span, segments
from handoff.record.codes import CaseService, FailureCode, HoldCode, State, Urgency
from handoff.views.handoffs import Handoff
from handoff.views.survival import Wait
from tests.support.dsl.builders import BASIS, CASE, REFERRAL, T0, after, nth_id
from tests.support.dsl.figures_in_memory import summary

HOUR = 3600.0
NOW = after(hours=100)


def handoff(**known: Any) -> Handoff:
    """A handoff requested at T0, with the other times in ``known``."""
    blank = Handoff(
        referral=REFERRAL,
        case=CASE,
        source="police",
        target="shelter",
        service=CaseService.SHELTER,
        urgency=Urgency.EMERGENCY,
        state=State.REQUESTED,
        requested_at=T0,
        delivered_at=None,
        opened_at=None,
        answered_at=None,
        started_at=None,
        closed_at=None,
        due_at=None,
        place_held_until=None,
        place_agreed_at=None,
        root=REFERRAL,
        hop=0,
    )
    return replace(blank, **known)


def answered(**known: Any) -> Handoff:
    """Delivered after one hour, opened after three, accepted after six."""
    times = {"delivered_at": after(hours=1), "opened_at": after(hours=3), "answered_at": after(hours=6)}
    return handoff(**{"state": State.ACCEPTED, **times, **known})


def measured(one: Handoff, now: datetime = NOW) -> dict[Segment, Wait]:
    return {found.segment: Wait(found.lasted / timedelta(seconds=1), found.ended) for found in segments(one, now)}


def held(since: datetime, until: datetime | None) -> HoldPeriod:
    return HoldPeriod(HoldCode.SURVIVOR_REQUEST, since, until)


def test_each_segment_runs_from_one_step_to_the_next() -> None:
    """Transport, unseen, deciding, acting and closing add up to the whole."""
    done = answered(
        state=State.COMPLETED,
        started_at=after(hours=10),
        closed_at=after(hours=20),
        ending=Ending(State.COMPLETED, "discharge.planned"),
    )
    assert measured(done) == {
        Segment.TRANSPORT: Wait(1 * HOUR, ended=True),
        Segment.UNSEEN: Wait(2 * HOUR, ended=True),
        Segment.DECIDING: Wait(3 * HOUR, ended=True),
        Segment.ACTING: Wait(4 * HOUR, ended=True),
        Segment.CLOSING: Wait(10 * HOUR, ended=True),
    }


def test_an_open_segment_counts_with_its_age() -> None:
    """An open segment is censored now, and what comes after it has not begun."""
    assert measured(handoff(delivered_at=after(hours=1)), after(hours=5)) == {
        Segment.TRANSPORT: Wait(1 * HOUR, ended=True),
        Segment.UNSEEN: Wait(4 * HOUR, ended=False),
    }


@pytest.mark.parametrize("opened_at", [None, after(hours=7)])
def test_an_answer_without_an_opening_before_it_counts_as_deciding(opened_at: datetime | None) -> None:
    """Without an opening, the whole wait from delivery counts as deciding, and unseen is zero."""
    found = measured(answered(opened_at=opened_at))
    assert found[Segment.UNSEEN] == Wait(0, ended=True)
    assert found[Segment.DECIDING] == Wait(5 * HOUR, ended=True)


def test_an_answer_proves_that_it_had_arrived() -> None:
    """A receipt that came after the answer, or never, lengthens no wait."""
    late = measured(handoff(state=State.ACCEPTED, answered_at=after(hours=2), delivered_at=after(hours=9)))
    assert late[Segment.TRANSPORT] == Wait(2 * HOUR, ended=True)
    assert late[Segment.DECIDING] == Wait(0, ended=True)


@pytest.mark.parametrize("state", [State.REVOKED, State.CANCELLED, State.FAILED])
def test_a_withdrawal_or_cancellation_censors_at_that_moment(state: State) -> None:
    """A step's time includes nothing that happened after the step."""
    ended = handoff(
        state=state, delivered_at=after(hours=1), closed_at=after(hours=4), ending=Ending(state, "survivor_ended")
    )
    assert measured(ended)[Segment.UNSEEN] == Wait(3 * HOUR, ended=False)


def test_a_survivor_who_ends_the_service_censors_its_closing() -> None:
    """Only an outcome or a failure of the provider's own ends the closing segment."""
    started = answered(state=State.FAILED, started_at=after(hours=10), closed_at=after(hours=12))
    by_survivor = replace(started, ending=Ending(State.FAILED, FailureCode.SURVIVOR_ENDED))
    by_provider = replace(started, ending=Ending(State.FAILED, FailureCode.PROVIDER_CAPACITY))
    assert measured(by_survivor)[Segment.CLOSING] == Wait(2 * HOUR, ended=False)
    assert measured(by_provider)[Segment.CLOSING] == Wait(2 * HOUR, ended=True)


def test_a_rejection_ends_the_deciding_segment_and_no_acting_follows() -> None:
    """A refused request has three segments, also after it was entered in error."""
    refused = answered(
        state=State.ENTERED_IN_ERROR, closed_at=after(hours=6), ending=Ending(State.REJECTED, "outside_mandate")
    )
    assert list(measured(refused)) == [Segment.TRANSPORT, Segment.UNSEEN, Segment.DECIDING]


def test_pauses_are_subtracted_from_the_segment_that_they_fall_into() -> None:
    """Two hours before the start belong to acting, three after it to closing, and one that lasts counts too."""
    paused = answered(
        state=State.ON_HOLD,
        started_at=after(hours=16),
        pauses=(
            held(after(hours=7), after(hours=9)),
            held(after(hours=17), after(hours=20)),
            held(after(hours=30), None),
        ),
    )
    found = measured(paused, after(hours=40))
    assert found[Segment.ACTING] == Wait(8 * HOUR, ended=True)
    assert found[Segment.CLOSING] == Wait((24 - 3 - 10) * HOUR, ended=False)


def test_a_follow_up_is_acted_on_from_its_own_date() -> None:
    """Before its date it is not awaited."""
    follow_up = answered(service=CaseService.FOLLOW_UP, due_at=after(hours=50))
    assert Segment.ACTING not in measured(follow_up, after(hours=49))
    *_, acting = segments(follow_up, after(hours=53))
    assert acting == Span(Segment.ACTING, after(hours=50), after(hours=53), timedelta(hours=3), ended=False)
    early = replace(follow_up, started_at=after(hours=45))
    assert measured(early)[Segment.ACTING] == Wait(0, ended=True)


def test_a_referral_entered_in_error_before_delivery_has_no_segments() -> None:
    """After a delivery the target has worked on it, and the time counts."""
    voided = handoff(
        state=State.ENTERED_IN_ERROR, closed_at=after(hours=2), ending=Ending(State.ENTERED_IN_ERROR, None)
    )
    assert measured(voided) == {}
    assert summary([voided], NOW) == ()
    assert measured(replace(voided, delivered_at=after(hours=1))) != {}


def test_figures_are_grouped_by_service_and_urgency_in_the_order_of_the_codes() -> None:
    """Each has its count, its open ones, and the age of the oldest."""
    rows = [
        handoff(referral=nth_id(1), service=CaseService.LEGAL_AID, urgency=Urgency.NORMAL),
        answered(referral=nth_id(2)),
        handoff(referral=nth_id(3), requested_at=after(hours=2)),
        handoff(referral=nth_id(4), requested_at=after(hours=5)),
    ]
    shelter, legal_aid = summary(rows, after(hours=10))
    assert {row.clock for row in (shelter, legal_aid)} == {CLOCK_VERSION}
    assert [row.group[0] for row in (shelter, legal_aid)] == [CaseService.SHELTER, CaseService.LEGAL_AID]
    assert (shelter.count, shelter.open, shelter.oldest_open) == (3, 2, 8 * HOUR)
    # At six hours two are still observed and one of them ends: half last longer.
    assert (shelter.p50, shelter.p90) == (6 * HOUR, None)
    transport = shelter.segments[0]
    assert (transport.count, transport.open, transport.p50, transport.oldest_open) == (3, 2, None, 8 * HOUR)


times = st.integers(min_value=0, max_value=10**6).map(lambda seconds: T0 + timedelta(seconds=seconds))
moments = st.none() | times


def pauses_at(times: list[datetime]) -> tuple[HoldPeriod, ...]:
    """Holds that begin and end at these times in turn; the last one may last."""
    return tuple(held(*pair) for pair in zip_longest(times[::2], times[1::2]))


handoffs = st.builds(
    handoff,
    referral=st.just(BASIS),
    service=st.sampled_from(CaseService),
    urgency=st.sampled_from(Urgency),
    state=st.sampled_from(State),
    delivered_at=moments,
    opened_at=moments,
    answered_at=moments,
    started_at=moments,
    closed_at=moments,
    pauses=st.lists(times, unique=True, max_size=5).map(lambda times: pauses_at(sorted(times))),
    due_at=moments,
    ending=st.none() | st.builds(Ending, st.sampled_from(State), st.none() | st.sampled_from(FailureCode)),
)


@given(handoffs, st.integers(min_value=0, max_value=10**6))
def test_no_wait_is_ever_negative_and_none_is_dropped(one: Handoff, later: int) -> None:
    """For any times, the clock gives segments in order, each at most once, each at least zero."""
    found = tuple(segments(one, T0 + timedelta(seconds=later)))
    assert all(each.lasted >= timedelta() for each in found)
    order = list(Segment)
    assert [order.index(each.segment) for each in found] == sorted({order.index(each.segment) for each in found})
    assert found or one.state is State.ENTERED_IN_ERROR


@given(st.lists(handoffs, max_size=12), st.integers(min_value=0, max_value=10**6))
def test_figures_count_every_handoff_that_was_there(many: list[Handoff], later: int) -> None:
    """List, detail and summary agree, because one clock serves them all."""
    now = T0 + timedelta(seconds=later)
    assert sum(row.count for row in summary(many, now)) == sum(1 for one in many if measured(one, now))
    for row in summary(many, now):
        own = [one for one in many if (one.service, one.urgency) == row.group]
        for figures in row.segments:
            assert figures.count == sum(1 for one in own if figures.segment in measured(one, now))
