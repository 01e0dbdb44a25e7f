"""Contents of a pack: the published figures of a quarter, and everything that is needed to make it again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from handoff.domain.handoff_clock import CLOCK_VERSION
from handoff.views.figures.facts import Facts
from handoff.views.figures.figures import Cohort, Occupancy, occupancy, quarter_tables, silent_members
from handoff.views.figures.period import Quarter
from handoff.views.figures.tables import FigureRow, Thresholds, published_rows


@dataclass(frozen=True, slots=True)
class PackContents:
    """Published figures of ``quarter`` as the record had them at ``as_of``. ``silent`` are members without an event."""

    jurisdiction: str
    quarter: Quarter
    as_of: datetime
    thresholds: Thresholds
    figures: Mapping[str, tuple[FigureRow, ...]]
    silent: tuple[str, ...]
    rules: int | None
    clock: int = CLOCK_VERSION


def pack_contents(
    jurisdiction: str,
    facts: Facts,
    quarter: Quarter,
    as_of: datetime,
    thresholds: Thresholds,
    *,
    rules: int | None,
) -> PackContents:
    """Compute the contents of a pack. ``rules`` is the version of the record's rules."""
    cohort = Cohort.of(facts, quarter, as_of)
    figures = dict(published_rows(quarter_tables(cohort), thresholds))
    figures["occupancy"] = tuple(row for each in occupancy(cohort) for row in _occupancy_rows(each, thresholds))
    return PackContents(jurisdiction, quarter, as_of, thresholds, figures, silent_members(cohort, facts.members), rules)


def _occupancy_rows(each: Occupancy, thresholds: Thresholds) -> Iterator[FigureRow]:
    """Yield the nights spent of those possible, with staffed and with licensed places."""
    for kind in ("staffed", "licensed"):
        group = (("shelter", each.member), ("places", kind))
        if 0 < len(each.persons) < thresholds.cell:
            yield FigureRow(group, None, is_hidden=True)
        elif each.places is not None:
            places = each.places.staffed if kind == "staffed" else each.places.licensed
            yield FigureRow(group, places * each.passed, each.nights)
        else:
            yield FigureRow(group, None, each.nights)
