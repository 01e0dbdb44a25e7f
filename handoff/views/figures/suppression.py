"""Suppression of small cells, so that a published table shows nothing about few persons.

A cell of 1 to ``threshold - 1`` is hidden. Other cells are hidden with it as far as a reader could compute it from the
published ones: sums, differences between tables, and the fact that counts are whole and not negative. Whether that is
possible is decided exactly, as an integer program: a hidden cell is safe if its smallest and its largest possible
value differ. See Fischetti and Salazar-González, *Models and algorithms for optimizing cell suppression in tabular
data* (2000).
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell of a table: the items that it counts. A cell that is not ``is_published`` can be computed from others.

    For example, those that were *not* answered in time, beside the published answered ones and all.
    """

    items: frozenset[Hashable]
    is_published: bool = True


def hidden_cells(cells: Mapping[Key, TableCell], threshold: int) -> frozenset[Key]:
    """Return the keys of the published cells that must not be published.

    ``cells`` are all cells that one reader sees together, whatever table they are in.
    """
    return _Suppression(cells, threshold).hidden()


class _Suppression(Generic[Key]):
    def __init__(self, cells: Mapping[Key, TableCell], threshold: int) -> None:
        self._cells = cells
        self._small = {key for key, cell in cells.items() if 0 < len(cell.items) < threshold}
        self._groups = _groups(cells)

    def hidden(self) -> frozenset[Key]:
        hidden = {key for key in self._small if self._cells[key].is_published}
        # Another hidden cell exposes none, so one pass is enough.
        for key in self._cells:
            while key in self._small and self._is_exposed(key, hidden):
                hidden.add(self._next_to_hide(key, hidden))
        return frozenset(hidden)

    def _is_exposed(self, key: Key, hidden: AbstractSet[Key]) -> bool:
        """Return whether the published cells determine ``key``."""
        counts = {each: len(cell.items) for each, cell in self._cells.items()}
        return _Program(self._groups, counts, self._published(hidden)).determines(key)

    def _published(self, hidden: AbstractSet[Key]) -> list[Key]:
        return [key for key, cell in self._cells.items() if cell.is_published and key not in hidden]

    def _next_to_hide(self, exposed: Key, hidden: AbstractSet[Key]) -> Key:
        """Return the smallest published cell that shares items with ``exposed``, else the smallest of all."""
        items = self._cells[exposed].items
        published = [key for key in self._published(hidden) if self._cells[key].items]
        sharing = [key for key in published if self._cells[key].items & items]
        return min(sharing or published, key=lambda key: len(self._cells[key].items))


def _groups(cells: Mapping[Key, TableCell]) -> tuple[frozenset[Key], ...]:
    """Return the combinations of cells that some item is in. Items of one combination are alike."""
    of_item: dict[Hashable, set[Key]] = {}
    for key, cell in cells.items():
        for item in cell.items:
            of_item.setdefault(item, set()).add(key)
    return tuple(Counter(frozenset(keys) for keys in of_item.values()))


class _Program(Generic[Key]):
    """Integer program of a reader: the number of items of each group, given the published cells."""

    def __init__(self, groups: tuple[frozenset[Key], ...], counts: Mapping[Key, int], published: Iterable[Key]) -> None:
        self._groups = groups
        self._counts = counts
        known = list(published)
        self._known: list[LinearConstraint] = []
        if known:
            totals = [counts[key] for key in known]
            self._known.append(LinearConstraint(np.array([self._row(key) for key in known]), totals, totals))

    def determines(self, key: Key) -> bool:
        """Return whether no other number than the true one fits."""
        count = self._counts[key]
        return not self._fits(key, -np.inf, count - 1) and not self._fits(key, count + 1, np.inf)

    def _fits(self, key: Key, least: float, most: float) -> bool:
        found = milp(
            np.zeros(len(self._groups)),
            integrality=np.ones(len(self._groups)),
            bounds=Bounds(0, np.inf),
            constraints=[*self._known, LinearConstraint(self._row(key), least, most)],
        )
        return bool(found.success)

    def _row(self, key: Key) -> NDArray[np.float64]:
        return np.array([float(key in group) for group in self._groups])
