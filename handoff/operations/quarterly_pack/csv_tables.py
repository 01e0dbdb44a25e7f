"""Figures of a pack as CSV (RFC 4180), with their definitions."""

import csv
import io
from collections.abc import Iterable

from handoff.operations.quarterly_pack.contents import PackContents
from handoff.views.figures.definitions import DEFINITIONS
from handoff.views.figures.tables import FigureRow

FIGURE_COLUMNS = (
    "quarter", "figure", "group", "denominator", "numerator", "share", "p50_seconds", "p90_seconds", "open", "hidden",
    "clock_version", "rules_version",
)  # fmt: skip
DEFINITION_COLUMNS = ("figure", "title", "denominator", "numerator", "clock")


def figures_csv(contents: PackContents) -> str:
    """Return all rows. ``group`` is pairs such as ``service=shelter;urgency=high``; a hidden number is empty."""
    rows = (
        (str(contents.quarter), code, *_numbers(row), contents.clock, contents.rules)
        for code, found in contents.figures.items()
        for row in found
    )
    return _table(FIGURE_COLUMNS, rows)


def definitions_csv() -> str:
    """Return the definition of each figure."""
    rows = ((code, d.title, d.denominator, d.numerator, d.clock) for code, d in DEFINITIONS.items())
    return _table(DEFINITION_COLUMNS, rows)


def _numbers(row: FigureRow) -> tuple[object, ...]:
    group = ";".join(f"{dimension}={code}" for dimension, code in row.group)
    share = None if row.share is None else f"{row.share:.4f}"
    return (group, row.denominator, row.numerator, share, row.p50, row.p90, row.open, "yes" if row.is_hidden else "no")


def _table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
