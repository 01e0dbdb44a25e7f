"""Past handovers folded from logged events."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.views.past_handovers import Milestone, NoEffect, PastEvent, PastHandover, fold_case, past_figures

START = datetime(2020, 1, 1, tzinfo=UTC)


def _at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def _events(*steps: tuple[str, int]) -> list[PastEvent]:
    return [PastEvent(n, Milestone(step), _at(hour), f"unit {n}") for n, (step, hour) in enumerate(steps, 1)]


def test_each_milestone_has_its_moment_and_the_first_to_reach_one_is_the_target() -> None:
    folded = fold_case(_events(("requests", 0), ("opens", 1), ("answers", 2), ("starts", 4), ("ends", 8)))
    assert folded.handovers == (
        PastHandover(
            _at(0), "unit 1", "unit 2", opened_at=_at(1), answered_at=_at(2), started_at=_at(4), ended_at=_at(8)
        ),
    )
    assert folded.without_effect == ()


def test_a_pause_ends_with_the_next_milestone_or_a_resumption() -> None:
    folded = fold_case(
        _events(("requests", 0), ("answers", 1), ("pauses", 2), ("resumes", 5), ("pauses", 6), ("ends", 7))
    )
    (handover,) = folded.handovers
    assert (handover.paused, handover.paused_at) == (timedelta(hours=4), None)
    (figures,) = past_figures(folded.handovers, _at(9))
    assert figures.until_ended.p50 == 3 * 3600


def test_a_pause_counts_in_no_wait_after_it() -> None:
    folded = fold_case(
        _events(
            ("requests", 0), ("pauses", 1), ("opens", 3), ("answers", 4), ("pauses", 5), ("starts", 9), ("ends", 10)
        )
    )
    (row,) = past_figures(folded.handovers, _at(20))
    waits = (row.until_opened, row.until_answered, row.until_started, row.until_ended)
    assert [each.p50 for each in waits] == [1 * 3600, 2 * 3600, 3 * 3600, 4 * 3600]


def test_a_start_or_an_end_counts_as_the_answer() -> None:
    (started,) = fold_case(_events(("requests", 0), ("starts", 3))).handovers
    (ended,) = fold_case(_events(("requests", 0), ("ends", 3))).handovers
    assert (started.answered_at, ended.answered_at) == (_at(3), _at(3))


def test_a_new_request_follows_an_answer_and_repeats_an_unanswered_one() -> None:
    folded = fold_case(_events(("requests", 0), ("requests", 1), ("answers", 2), ("requests", 5)))
    first, second = folded.handovers
    assert (first.superseded_at, second.requested_at) == (_at(5), _at(5))
    assert folded.without_effect == ((2, NoEffect.REPEATED),)
    (from_first, from_second) = past_figures(folded.handovers, _at(9))
    assert (from_first.until_ended.open, from_second.until_ended.open) == (1, 1)


@pytest.mark.parametrize(
    ("steps", "number", "reason"),
    [
        ([("answers", 0)], 1, NoEffect.NO_REQUEST),
        ([("requests", 0), ("ends", 1), ("opens", 2)], 3, NoEffect.NO_REQUEST),
        ([("requests", 0), ("answers", 1), ("opens", 2)], 3, NoEffect.REPEATED),
        ([("requests", 0), ("answers", 1), ("answers", 2)], 3, NoEffect.REPEATED),
        ([("requests", 0), ("starts", 1), ("starts", 2)], 3, NoEffect.REPEATED),
        ([("requests", 0), ("pauses", 1), ("pauses", 2)], 3, NoEffect.REPEATED),
        ([("requests", 0), ("resumes", 1)], 2, NoEffect.NOT_PAUSED),
    ],
)
def test_an_event_without_effect_has_its_reason(steps: list[tuple[str, int]], number: int, reason: NoEffect) -> None:
    assert fold_case(_events(*steps)).without_effect == ((number, reason),)


def test_at_equal_times_the_order_of_the_log_counts() -> None:
    folded = fold_case(reversed(_events(("requests", 0), ("answers", 0), ("ends", 0))))
    (handover,) = folded.handovers
    assert (handover.source, handover.target, handover.ended_at) == ("unit 1", "unit 2", _at(0))


@given(st.lists(st.tuples(st.sampled_from(Milestone), st.integers(0, 20)), max_size=30), st.randoms())
def test_each_event_has_an_effect_or_a_reason_whatever_the_order_of_reading(
    steps: list[tuple[Milestone, int]], random: Random
) -> None:
    events = _events(*((step.value, hour) for step, hour in steps))
    folded = fold_case(events)
    shuffled = list(events)
    random.shuffle(shuffled)
    assert fold_case(shuffled) == folded
    refused = [number for number, _ in folded.without_effect]
    assert len(refused) == len(set(refused)) <= len(events)
    requests = sum(event.milestone is Milestone.REQUESTS and event.number not in refused for event in events)
    assert len(folded.handovers) == requests
    for handover in folded.handovers:
        moments = [
            handover.requested_at,
            handover.opened_at,
            handover.answered_at,
            handover.started_at,
            handover.ended_at,
        ]
        known = [moment for moment in moments if moment is not None]
        assert known == sorted(known)
        assert handover.paused <= (handover.ended_at or handover.superseded_at or _at(20)) - handover.requested_at


def test_an_open_wait_is_censored_at_the_newest_time_of_the_log() -> None:
    waits = [
        *fold_case(_events(("requests", 0), ("answers", 2))).handovers,
        *fold_case(_events(("requests", 0))).handovers,
    ]
    both = list(past_figures(waits, _at(10)))
    assert [(each.target, each.until_answered.open, each.until_answered.p50) for each in both] == [
        (None, 1, None),
        ("unit 2", 0, 2 * 3600),
    ]
