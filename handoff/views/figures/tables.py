"""Tables of figures: rows of counts, shares and waits, before and after the suppression of small cells."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from handoff.views.figures.suppression import TableCell, hidden_cells
from handoff.views.survival import Wait, quantile

Group = tuple[tuple[str, str], ...]
"""Subject of a row: pairs of a dimension and a code, such as ``(("service", "shelter"),)``."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A row of a figure. ``numerator`` of ``denominator``; p50 and p90 in seconds, None if too few waits have ended.

    A hidden number is None; ``is_hidden`` tells it from one that does not exist.
    """

    group: Group
    denominator: int | None
    numerator: int | None = None
    p50: float | None = None
    p90: float | None = None
    open: int | None = None
    is_hidden: bool = False

    @property
    def share(self) -> float | None:
        """Share of the numerator in the denominator."""
        if self.numerator is None or not self.denominator:
            return None
        return self.numerator / self.denominator


@dataclass(frozen=True, slots=True)
class CountedRow:
    """A row with the persons' handoffs or cases that it counts, which suppression needs."""

    group: Group
    items: frozenset[Hashable]
    within: frozenset[Hashable] | None = None
    waits: Mapping[Hashable, Wait] | None = None

    @classmethod
    def of_waits(cls, group: Group, waits: Mapping[Hashable, Wait]) -> Self:
        """Row of waits: the numerator counts those that have ended."""
        return cls(group, frozenset(waits), frozenset(item for item, wait in waits.items() if wait.ended), waits)

    def row(self) -> FigureRow:
        """Return the row with all its numbers."""
        waits = tuple(self.waits.values()) if self.waits is not None else None
        return FigureRow(
            group=self.group,
            denominator=len(self.items),
            numerator=len(self.within) if self.within is not None else None,
            p50=quantile(waits, 0.5) if waits is not None else None,
            p90=quantile(waits, 0.9) if waits is not None else None,
            open=sum(not wait.ended for wait in waits) if waits is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Smallest number of persons that a published cell counts, and a published percentile rests on."""

    cell: int = 5
    median: int = 10


Tables = Mapping[str, Sequence[CountedRow]]
"""Rows of each figure, by its code."""


def all_rows(tables: Tables) -> Mapping[str, tuple[FigureRow, ...]]:
    """Return every row with all its numbers, for readers who may see them."""
    return {code: tuple(counted.row() for counted in rows) for code, rows in tables.items()}


def published_rows(tables: Tables, thresholds: Thresholds) -> Mapping[str, tuple[FigureRow, ...]]:
    """Return the rows with the small cells of all tables together hidden."""
    hidden = hidden_cells(dict(_cells(tables)), thresholds.cell)
    return {
        code: tuple(_published(code, counted, hidden, thresholds) for counted in rows) for code, rows in tables.items()
    }


_CellKey = tuple[str, Group, str]


def _cells(tables: Tables) -> Iterable[tuple[_CellKey, TableCell]]:
    for code, rows in tables.items():
        for counted in rows:
            yield (code, counted.group, "all"), TableCell(counted.items)
            if counted.within is not None:
                yield (code, counted.group, "within"), TableCell(counted.within)
                rest = TableCell(counted.items - counted.within, is_published=False)
                yield (code, counted.group, "rest"), rest


def _published(code: str, counted: CountedRow, hidden: frozenset[_CellKey], thresholds: Thresholds) -> FigureRow:
    row = counted.row()
    hides_all, hides_within = (code, row.group, "all") in hidden, (code, row.group, "within") in hidden
    if hides_all or hides_within:
        denominator, numerator = None if hides_all else row.denominator, None if hides_within else row.numerator
        return FigureRow(row.group, denominator, numerator, is_hidden=True)
    if row.p50 is not None and (row.numerator or 0) < thresholds.median:
        return replace(row, p50=None, p90=None, is_hidden=True)
    return row
