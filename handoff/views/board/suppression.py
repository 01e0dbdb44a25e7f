"""Suppression of small counts in a published table, with complementary cells.

The rules:

- A count from 1 to below the threshold is hidden. A zero is shown.
- The total of a row with a hidden cell is hidden: it would give the cell away if it were the only one.
- A column with one hidden cell, and a table with one hidden total, get a second one, the smallest: the reader may know
  the sum of a column or of the whole from another table. Column totals themselves are not published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

RowT = TypeVar("RowT")
ColumnT = TypeVar("ColumnT")

THRESHOLD = 5
"""Counts below it are hidden."""
MEDIAN_THRESHOLD = 10
"""Percentiles of fewer observations are hidden."""


@dataclass(frozen=True, slots=True)
class PublishedTable(Generic[RowT, ColumnT]):
    """Counts as published. A hidden one is None."""

    cells: Mapping[tuple[RowT, ColumnT], int | None]
    totals: Mapping[RowT, int | None]

    @property
    def hidden(self) -> int:
        """Number of hidden cells."""
        return sum(count is None for count in self.cells.values())


def published(
    counts: Mapping[tuple[RowT, ColumnT], int],
    rows: Iterable[RowT],
    columns: Iterable[ColumnT],
    threshold: int = THRESHOLD,
) -> PublishedTable[RowT, ColumnT]:
    """Return a table with its small counts and their complements hidden."""
    cells = {(row, column): counts.get((row, column), 0) for row in rows for column in columns}
    hidden = {cell for cell, count in cells.items() if 0 < count < threshold}
    while (complement := _complement(cells, hidden)) is not None:
        hidden.add(complement)
    totals: dict[RowT, int | None] = {}
    for (row, column), count in cells.items():
        total = totals.get(row, 0)
        totals[row] = None if total is None or (row, column) in hidden else total + count
    return PublishedTable({cell: None if cell in hidden else count for cell, count in cells.items()}, totals)


def _complement(
    cells: Mapping[tuple[RowT, ColumnT], int], hidden: set[tuple[RowT, ColumnT]]
) -> tuple[RowT, ColumnT] | None:
    """Return the next cell to hide: the smallest in a column, or in another row, that has one hidden cell alone."""
    in_column: dict[ColumnT, int] = {}
    for _, column in hidden:
        in_column[column] = in_column.get(column, 0) + 1
    rows = {row for row, _ in hidden}
    candidates = [
        (count, repr(cell), cell)
        for cell, count in cells.items()
        if cell not in hidden
        and count > 0
        and (in_column.get(cell[1]) == 1 or (len(rows) == 1 and cell[0] not in rows))
    ]
    return min(candidates)[2] if candidates else None
