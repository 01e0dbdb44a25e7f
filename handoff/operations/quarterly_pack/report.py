"""The report of a pack: a tagged PDF (PDF/UA-1), the same bytes for the same contents."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import typst

from handoff.operations.quarterly_pack.contents import PackContents
from handoff.views.figures.definitions import DEFINITIONS
from handoff.views.figures.tables import FigureRow

HIDDEN = "hidden"
_NONE = "-"


def report_pdf(contents: PackContents) -> bytes:
    """Return the report. Takes about a second."""
    return bytes(
        typst.compile(
            files(__package__).joinpath("pack.typ").read_bytes(),
            format="pdf",
            # Fonts of the library alone: another machine has other system fonts.
            ignore_system_fonts=True,
            pdf_standards=["ua-1"],
            sys_inputs={"data": json.dumps(_document(contents))},
            timestamp=int(contents.as_of.timestamp()),
        )
    )


def _document(contents: PackContents) -> Mapping[str, Any]:
    local = contents.as_of.astimezone(contents.quarter.zone)
    return {
        "title": f"Handoffs in {contents.jurisdiction}, {contents.quarter}",
        "jurisdiction": contents.jurisdiction,
        "date": {"year": local.year, "month": local.month, "day": local.day},
        "about": [
            f"Computed from the record as of {contents.as_of.isoformat()}.",
            f"Entries are judged by version {contents.rules} of the rules of the record.",
            f"Times are measured by version {contents.clock} of the rules of the clock.",
            f"A cell that counts fewer than {contents.thresholds.cell} persons is hidden,",
            "and so is each from which it could be computed.",
            f"A percentile of fewer than {contents.thresholds.median} ended waits is hidden.",
            "Waits that have not ended count with their age (Kaplan-Meier).",
        ],
        "silent": contents.silent,
        "figures": [_figure(code, rows) for code, rows in contents.figures.items()],
    }


def _figure(code: str, rows: Sequence[FigureRow]) -> Mapping[str, Any]:
    definition = DEFINITIONS[code]
    is_wait = any(row.open is not None or row.p50 is not None for row in rows)
    sentence = f"Of {definition.denominator}: {definition.numerator}. Clock: {definition.clock}."
    columns = ["", "of", "number", *(["p50", "p90", "open"] if is_wait else ["share"])]
    return {
        "title": definition.title,
        "definition": sentence,
        "columns": columns,
        "rows": [list(_cells(row, is_wait=is_wait)) for row in rows],
    }


def _cells(row: FigureRow, *, is_wait: bool) -> Iterator[str]:
    yield ", ".join(code.replace("_", " ") for _, code in row.group) or "all"
    numbers: Sequence[object] = (row.denominator, row.numerator)
    if is_wait:
        numbers = (*numbers, _duration(row.p50), _duration(row.p90), row.open)
    else:
        numbers = (*numbers, None if row.share is None else f"{row.share:.0%}")
    missing = HIDDEN if row.is_hidden else _NONE
    yield from (missing if number is None else str(number) for number in numbers)


def _duration(seconds: float | None) -> str | None:
    """Return whole minutes, hours or days: as much as a reader compares."""
    if seconds is None:
        return None
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
