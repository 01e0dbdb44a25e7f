"""Times in an export have one form, so that a program reads all of them with one pattern."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from handoff.audit.exports.csv_table import as_csv
from handoff.audit.exports.xes_log import as_xes
from handoff.views.replay.history import ReplayedEntry
from tests.support.dsl import spec
from tests.support.dsl.spec import CASE
from tests.support.parts.replayed import replayed

DATE = "{http://www.xes-standard.org/}date"


@pytest.fixture
def entries() -> tuple[ReplayedEntry, ...]:
    """Entries of one case at a whole second, and at one that has a fraction."""
    whole, *others = replayed(spec.given(spec.requested()).record).own
    at = whole.decoded.record_time + timedelta(milliseconds=250)
    return (whole, *(replace(entry, decoded=replace(entry.decoded, record_time=at)) for entry in others))


def forms(times: Iterable[str | None]) -> set[str]:
    """The times with each digit as 0."""
    return {re.sub(r"\d", "0", time or "") for time in times}


def test_dates_of_an_event_log_have_one_form(entries: tuple[ReplayedEntry, ...]) -> None:
    """The default in the head of the log has it too: a reader may derive the pattern from there."""
    log = ET.fromstring(as_xes(CASE, entries))
    assert len(forms(date.get("value") for date in log.iter(DATE))) == 1


@pytest.mark.parametrize("column", ["record_time", "claimed_time"])
def test_times_of_a_table_have_one_form(entries: tuple[ReplayedEntry, ...], column: str) -> None:
    """Every row of the column, and both columns, are read with the same pattern."""
    rows = list(csv.DictReader(io.StringIO(as_csv(entries, lambda _: False))))
    assert len(forms([*(row[column] for row in rows), *(row["record_time"] for row in rows)])) == 1
