"""The board's folds: suppression that no sum undoes, groups of refusals, waits over chains, ages of past days."""

from collections import Counter
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.domain.case import Ending
from handoff.domain.handoff_clock import Segment
from handoff.record.codes import CaseService, FailureCode, RejectionCode, State, Urgency
from handoff.views.board.ageing import MOST_DOTS, ageing
from handoff.views.board.flows import GROUP_OF, Outcome, RefusalGroup, flows, outcome_of, until_accepted
from handoff.views.board.handoff import BoardHandoff
from handoff.views.board.suppression import THRESHOLD, published
from tests.support.dsl.builders import T0, nth_id

HOUR = timedelta(hours=1)


def handoff(number: int, *, chain: UUID | None = None, hop: int = 0, **moments: int | Ending | None) -> BoardHandoff:
    """A request of hour 0; the moments are hours after it."""
    ending = moments.pop("ending", None)
    times: dict[str, Any] = {name: T0 + hours * HOUR for name, hours in moments.items() if isinstance(hours, int)}
    assert ending is None or isinstance(ending, Ending)
    return BoardHandoff(
        reference=nth_id(number),
        chain=chain or nth_id(number),
        hop=hop,
        source="police",
        target="shelter",
        service=CaseService.SHELTER,
        urgency=Urgency.HIGH,
        state=ending.state if ending is not None else State.REQUESTED,
        ending=ending,
        **{"requested_at": T0, **times},
    )


REFUSED = Ending(State.REJECTED, RejectionCode.UNITS_FULL.value)


@given(st.lists(st.integers(0, 9), min_size=9, max_size=9))
def test_no_hidden_cell_follows_from_totals(counts: list[int]) -> None:
    """A reader who also knows the sum of every column cannot solve for a hidden cell that has company there."""
    cells = dict(zip(product("abc", "xyz"), counts, strict=True))
    table = published(cells, "abc", "xyz")
    hidden = {cell for cell, count in table.cells.items() if count is None}
    assert all(table.cells[cell] is None for cell, count in cells.items() if 0 < count < THRESHOLD)
    assert all(table.totals[row] is None for row, _ in hidden)
    per_column = Counter(column for _, column in hidden)
    for column, number in per_column.items():
        others = [cell for cell in cells if cell[1] == column and cells[cell] > 0]
        assert number >= min(2, len(others))
    shown = [cell for cell in cells if cell not in hidden]
    assert all(table.cells[cell] == cells[cell] for cell in shown)


@pytest.mark.parametrize("code", [*RejectionCode, *FailureCode])
def test_every_code_of_a_refusal_has_a_group(code: RejectionCode | FailureCode) -> None:
    assert GROUP_OF[code] in RefusalGroup


def test_a_refusal_is_never_an_acceptance() -> None:
    refused = handoff(1, answered_at=1, closed_at=1, ending=REFUSED)
    assert outcome_of(refused) is Outcome.REFUSED
    assert not until_accepted([refused], T0 + 9 * HOUR).ended


def test_a_chain_waits_from_its_first_request_to_its_first_acceptance() -> None:
    first = handoff(1, answered_at=1, closed_at=1, ending=REFUSED)
    second = handoff(2, chain=nth_id(1), hop=1, requested_at=2, answered_at=5)
    wait = until_accepted([first, second], T0 + 9 * HOUR)
    assert (wait.seconds, wait.ended) == (5 * 3600, True)


def test_small_groups_show_neither_counts_nor_percentiles() -> None:
    found = flows([handoff(number, answered_at=1) for number in range(4)], T0 + HOUR)
    [row] = found.pairs
    assert (row.total, row.p50, row.outcomes[Outcome.ACCEPTED]) == (None, None, None)
    assert found.waits == {}


def test_a_past_day_shows_the_handoffs_as_they_were() -> None:
    """Of ten requests, all were unseen at hour 2, and are answered now."""
    known = [handoff(n, delivered_at=1, opened_at=3, answered_at=4, closed_at=4, ending=REFUSED) for n in range(10)]
    assert ageing(known, T0 + 5 * HOUR).open == 0
    past = ageing(known, T0 + 2 * HOUR, is_past=True)
    assert [(one.segment, one.count) for one in past.bins] == [(Segment.UNSEEN, 10)]
    assert past.dots == ()


def test_small_counts_of_a_past_day_are_hidden() -> None:
    past = ageing([handoff(1, delivered_at=1)], T0 + 2 * HOUR, is_past=True)
    assert ([one.count for one in past.bins], past.open) == ([None], None)


def test_many_dots_are_counted_instead() -> None:
    chart = ageing([handoff(n, delivered_at=1) for n in range(MOST_DOTS + 1)], T0 + 2 * HOUR)
    assert chart.dots == ()
    assert sum(one.count or 0 for one in chart.bins) == MOST_DOTS + 1
