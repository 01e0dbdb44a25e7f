"""Suppression of small cells, against a reader who computes."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from handoff.views.figures.suppression import TableCell, hidden_cells

THRESHOLD = 5
SERVICES, URGENCIES = ("shelter", "legal_aid", "medical"), ("emergency", "high", "normal")


def _linked_tables(items: list[tuple[str, str, bool]]) -> dict[tuple[str, ...], TableCell]:
    """Two tables with their margins and a rate: service by urgency, totals, and those in time of each service."""
    numbered = list(enumerate(items))

    def cell(is_published: bool = True, **wanted: object) -> TableCell:  # noqa: FBT001, FBT002
        names = ("service", "urgency", "in_time")
        found = [n for n, item in numbered if all(item[names.index(name)] == value for name, value in wanted.items())]
        return TableCell(frozenset(found), is_published)

    cells: dict[tuple[str, ...], TableCell] = {
        ("both", s, u): cell(service=s, urgency=u) for s, u in product(SERVICES, URGENCIES)
    }
    cells |= {("service", s): cell(service=s) for s in SERVICES}
    cells |= {("urgency", u): cell(urgency=u) for u in URGENCIES}
    cells |= {("all",): cell()}
    cells |= {("in_time", s): cell(service=s, in_time=True) for s in SERVICES}
    cells |= {("late", s): cell(is_published=False, service=s, in_time=False) for s in SERVICES}
    return cells


def _recovered(cells: Mapping[tuple[str, ...], TableCell], hidden: frozenset[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the small cells that the published ones leave a single value for.

    The reader knows how the tables are built, so that the unknowns are all combinations, of which some may be empty.
    """
    unknowns = list(product(SERVICES, URGENCIES, (True, False)))

    def row(key: tuple[str, ...]) -> np.ndarray:
        table, *rest = key
        return np.array([
            1 if (
                (table == "both" and [s, u] == rest) or (table == "service" and s == rest[0])
                or (table == "urgency" and u == rest[0]) or table == "all"
                or (table == "in_time" and s == rest[0] and in_time)
                or (table == "late" and s == rest[0] and not in_time)
            ) else 0
            for s, u, in_time in unknowns
        ])  # fmt: skip

    published = [key for key, cell in cells.items() if cell.is_published and key not in hidden]
    constraints = [LinearConstraint(row(key), len(cells[key].items), len(cells[key].items)) for key in published]
    recovered = []
    for key, cell in cells.items():
        if 0 < len(cell.items) < THRESHOLD:
            least, most = (
                milp(
                    sign * row(key),
                    constraints=constraints,
                    bounds=Bounds(0, 10_000),
                    integrality=np.ones(len(unknowns)),
                )
                for sign in (1, -1)
            )
            if round(least.fun) == round(-most.fun):
                recovered.append(key)
    return recovered


_items = st.lists(st.tuples(st.sampled_from(SERVICES), st.sampled_from(URGENCIES), st.booleans()), max_size=60)


@given(_items)
@settings(max_examples=25)
def test_a_reader_who_computes_recovers_no_hidden_cell(items: list[tuple[str, str, bool]]) -> None:
    cells = _linked_tables(items)
    hidden = hidden_cells(cells, THRESHOLD)
    assert all(key in hidden for key, cell in cells.items() if cell.is_published and 0 < len(cell.items) < THRESHOLD)
    assert _recovered(cells, hidden) == []


def test_the_attack_recovers_cells_where_only_small_ones_are_hidden() -> None:
    """The attack itself works: without complementary cells it computes the small one from its row and its total."""
    items = [("shelter", "emergency", True)] * 3 + [("shelter", "high", True)] * 9 + [("shelter", "normal", True)] * 8
    cells = _linked_tables(items)
    small = frozenset(key for key, cell in cells.items() if 0 < len(cell.items) < THRESHOLD)
    assert ("both", "shelter", "emergency") in _recovered(cells, small)
    assert _recovered(cells, hidden_cells(cells, THRESHOLD)) == []


def test_a_small_complement_hides_the_rate() -> None:
    """If three of twelve were late, neither the nine nor the twelve can both be published."""
    items = [("medical", "high", True)] * 9 + [("medical", "high", False)] * 3
    hidden = hidden_cells(_linked_tables(items), THRESHOLD)
    assert ("in_time", "medical") in hidden or ("service", "medical") in hidden


def test_large_cells_are_published() -> None:
    items = [(s, u, t) for s, u, t in product(SERVICES, URGENCIES, (True, False)) for _ in range(THRESHOLD)]
    assert hidden_cells(_linked_tables(items), THRESHOLD) == frozenset()


@pytest.mark.parametrize("count", [1, 4])
def test_an_only_small_cell_is_hidden(count: int) -> None:
    cells = {"all": TableCell(frozenset(range(count)))}
    assert hidden_cells(cells, THRESHOLD) == {"all"}
