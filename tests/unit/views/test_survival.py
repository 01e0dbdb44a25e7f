"""Kaplan-Meier, against an example worked by hand and against what must always hold."""

from itertools import pairwise
from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.views.survival import Wait, quantile, survival

durations = st.floats(min_value=0, max_value=1e7, allow_nan=False)
waits = st.lists(st.builds(Wait, durations, st.booleans()), max_size=40)


def test_the_share_that_lasts_longer_falls_only_where_something_ended() -> None:
    """Worked by hand: 6, 6, 6+, 7, 9+, 10, 10+, 11+, 13 and 16 give 8/10, 6/7 of it, 4/5, 1/2 and 0 of what is left."""
    observed = [
        Wait(6, ended=True),
        Wait(6, ended=True),
        Wait(6, ended=False),
        Wait(7, ended=True),
        Wait(9, ended=False),
        Wait(10, ended=True),
        Wait(10, ended=False),
        Wait(11, ended=False),
        Wait(13, ended=True),
        Wait(16, ended=True),
    ]
    # At risk: 10 at 6, 7 at 7, 5 at 10 (9+ has left), 2 at 13 (10+ and 11+ have left), 1 at 16.
    shares = [0.8, 0.8 * 6 / 7, 0.8 * 6 / 7 * 4 / 5, 0.8 * 6 / 7 * 4 / 5 / 2, 0.0]
    assert [seconds for seconds, _ in survival(observed)] == [6, 7, 10, 13, 16]
    assert [share for _, share in survival(observed)] == pytest.approx(shares)
    assert quantile(observed, 0.5) == 13
    assert quantile(observed, 0.9) == 16


@given(st.lists(durations, min_size=1, max_size=40))
def test_with_every_wait_ended_it_is_the_plain_quantile(seconds: list[float]) -> None:
    """Without censoring the median is the lower median."""
    assert quantile([Wait(s, ended=True) for s in seconds], 0.5) == median_low(seconds)


@given(waits, st.floats(min_value=0.01, max_value=0.99))
def test_a_quantile_is_a_duration_at_which_something_ended(observed: list[Wait], part: float) -> None:
    """It is never made up, and None where nothing has ended."""
    found = quantile(observed, part)
    assert found is None or found in {wait.seconds for wait in observed if wait.ended}


@given(waits)
def test_shares_fall_from_one_towards_nothing(observed: list[Wait]) -> None:
    """Every step goes down, none below zero."""
    shares = [1.0, *(share for _, share in survival(observed))]
    assert all(later < earlier for earlier, later in pairwise(shares))
    assert shares[-1] >= 0


@given(waits, st.integers(min_value=0, max_value=39), st.floats(min_value=0.1, max_value=0.9))
def test_a_wait_that_lasts_on_never_makes_the_figure_better(observed: list[Wait], which: int, part: float) -> None:
    """An open handoff that is dropped would flatter; censored at its age it cannot."""
    if which >= len(observed):
        return
    without = quantile([wait for at, wait in enumerate(observed) if at != which], part)
    longest = max(wait.seconds for wait in observed)
    lasting = [wait if at != which else Wait(longest, ended=False) for at, wait in enumerate(observed)]
    found = quantile(lasting, part)
    assert found is None or (without is not None and found >= without)
