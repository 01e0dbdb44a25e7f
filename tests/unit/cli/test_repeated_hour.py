"""A person who reads a time can tell which moment it is, also in the night when the clocks go back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from handoff.audit.pages.audit_site import audit_site
from handoff.cli.replay_output import Comparison, Single
from handoff.cli.table_output import local_time, timeline_table
from handoff.config import DEFAULT_TIME_ZONE
from handoff.record.delivery import EFFECTIVE
from handoff.views.replay.diff import diff
from handoff.views.replay.moments import moment_of
from handoff.views.replay.questions import ask
from handoff.views.timeline import TimelineEntry
from tests.support.dsl import spec
from tests.support.dsl.spec import CASE
from tests.support.parts.replayed import replayed

FIRST = datetime(2026, 10, 25, 0, 15, tzinfo=UTC)
"""02:15 in Prizren, an hour before it is 02:15 again."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def printed(draw: Callable[[Console], None]) -> str:
    page = StringIO()
    draw(Console(file=page, width=250))
    return page.getvalue()


def on_the_timeline(at: datetime) -> str:
    """The row of an entry that was recorded then, as `handoff timeline` prints it."""
    entry = TimelineEntry(position=1, record_time=at, verdict=EFFECTIVE, emitter="police", type="case.opened.v1")
    table = timeline_table(CASE, [entry])
    [row] = (line for line in printed(lambda console: console.print(table)).splitlines() if "case.opened" in line)
    return row


def in_a_replay(at: datetime) -> str:
    """The head of a question's answer as of then, as `handoff replay` prints it."""
    history = replayed(spec.given(spec.requested()).record)
    [head] = re.findall(r"as of .*", printed(Single(CASE, "waits", ask(history, "waits", at)).draw))
    return str(head)


def in_a_comparison(at: datetime) -> str:
    """The head of a comparison, as `handoff replay --diff` prints it."""
    history = replayed(spec.given(spec.requested()).record)
    return printed(Comparison(CASE, diff(history, at, FIRST + DAY)).draw)


@pytest.mark.parametrize("shown", [on_the_timeline, in_a_replay, in_a_comparison])
def test_the_two_passes_of_the_repeated_hour_differ(shown: Callable[[datetime], str]) -> None:
    assert shown(FIRST) != shown(FIRST + HOUR)


def test_the_timeline_shows_different_days_differently() -> None:
    """A case lasts for months, and its entries carry the same times of day."""
    assert on_the_timeline(FIRST - DAY) != on_the_timeline(FIRST)


def test_a_printed_time_is_one_that_a_question_accepts() -> None:
    """An auditor copies a time from one answer into the next question."""
    for moment in (FIRST, FIRST + HOUR):
        assert moment_of(local_time(moment), FIRST + DAY) == moment


def test_a_page_shows_the_two_passes_of_the_repeated_hour_differently() -> None:
    """Its times have their zone."""
    page = audit_site(ZoneInfo(DEFAULT_TIME_ZONE)).translation("en")
    assert page.time(FIRST) != page.time(FIRST + HOUR)
