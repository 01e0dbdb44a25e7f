"""Swimlanes: every bar has its duration as text, pauses are drawn, and the drawing ends at the time of the slider."""

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from handoff.audit.pages.audit_site import audit_site
from handoff.audit.pages.entry_filter import EntryFilter
from handoff.audit.pages.replay_view import ReplayView
from handoff.audit.pages.swimlanes import Drawing, drawing
from handoff.audit.pages.time_slider import Reader, slider_position
from handoff.config import DEFAULT_TIME_ZONE
from handoff.record.codes import HoldCode
from handoff.record.events import referral as r
from handoff.record.topics import AUDIT
from handoff.views.replay.history import History
from tests.support.dsl.builders import nth_id
from tests.support.dsl.spec import HOUR, SHELTER_B, Record, Sent
from tests.support.parts.audited import NOW, SECOND_PLACE, story
from tests.support.parts.replayed import replayed

SITE = audit_site(ZoneInfo(DEFAULT_TIME_ZONE))
READER = Reader(nth_id(99), AUDIT)


def drawn(record: Record, step: int | None = None) -> Drawing:
    return drawing(view_of(replayed(record), step))


def view_of(history: History, step: int | None) -> ReplayView:
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    position = slider_position(history, READER, max(NOW, history.own[-1].at), step, None)
    return ReplayView(request, SITE.translation("en"), history, READER, position, EntryFilter())


def on_hold() -> Record:
    """The service in the second shelter pauses for two hours, resumes, and pauses again."""
    record = story()
    record.send(
        Sent(SHELTER_B, r.ReferralPaused(referral=SECOND_PLACE, code=HoldCode.WAITING_INTAKE), HOUR),
        Sent(SHELTER_B, r.ReferralResumed(referral=SECOND_PLACE), 2 * HOUR),
        Sent(SHELTER_B, r.ReferralPaused(referral=SECOND_PLACE, code=HoldCode.WAITING_INTAKE), 3 * HOUR),
    )
    return record


def test_every_bar_has_its_duration_and_room_for_it() -> None:
    bars = [bar for lane in drawn(story()).lanes for bar in lane.bars]
    assert len(bars) == 16
    assert all(bar.short and bar.width >= 7 * len(bar.short) for bar in bars)


def test_the_last_tick_is_the_present() -> None:
    end = drawn(story()).ticks[-1]
    assert end.is_end
    assert end.label == "now, 2026-01-10 23:40:00 CET"


def test_at_an_earlier_step_the_last_tick_is_the_time_of_that_step() -> None:
    picture = drawn(story(), step=6)
    assert picture.ticks[-1].label == "2026-01-05 23:52:13 CET"
    assert max(dot.x for lane in picture.lanes for dot in lane.dots) == picture.ticks[-1].x


def test_pauses_are_drawn_inside_the_bar_that_they_interrupt() -> None:
    """An ended pause and a lasting one; the duration of the bar is without them."""
    [bar] = [bar for lane in drawn(on_hold()).lanes for bar in lane.bars if bar.pauses]
    assert bar.segment == "closing"
    assert [pause.label for pause in bar.pauses][:1] == ["Pause: 2 h"]
    assert len(bar.pauses) == 2
    assert all(bar.x <= pause.x and pause.x + pause.width <= bar.x + bar.width + 0.01 for pause in bar.pauses)


def test_a_lasting_pause_ends_with_its_bar() -> None:
    """The pause that lasts is drawn up to the moment of the question."""
    [bar] = [bar for lane in drawn(on_hold()).lanes for bar in lane.bars if bar.pauses]
    last = bar.pauses[-1]
    assert last.x + last.width == pytest.approx(bar.x + bar.width, abs=3)


@pytest.mark.parametrize("step", [1, 4, 12])
def test_labels_of_times_do_not_overlap(step: int) -> None:
    ticks = drawn(story(), step=step).ticks
    assert all(after.x - before.x >= 150 for before, after in pairwise(ticks[:-1]))
    assert all(tick.x + 300 <= ticks[-1].x for tick in ticks[:-1]) or len(ticks) == 1
