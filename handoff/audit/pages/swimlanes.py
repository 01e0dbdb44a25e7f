"""Swimlanes: the events of each institution and the waits for it, as a drawing and as the text of each shape.

Times keep their order. The distance between two times is the logarithm of the time between them, so that minutes and
months fit on one page. Every bar is labelled with its true duration.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log10

from handoff.audit.pages.entry_list import verdict_text
from handoff.audit.pages.formatting import event_name, member_name
from handoff.audit.pages.replay_view import ReplayView
from handoff.record.envelope import EXCHANGE
from handoff.views.replay.history import ReplayedEntry
from handoff.views.replay.waits import WaitRow, waits
from handoff.web.pages.translation import Translation

_LEFT, _RIGHT, _TOP = 16, 40, 34
_ROW, _PAD = 26, 10
_STEP, _STRETCH = 13, 15


@dataclass(frozen=True, slots=True)
class Dot:
    """An event."""

    x: float
    y: float
    label: str
    outcome: str
    position: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A wait, and whether it is still open. ``short`` is the part of the label that fits into the bar."""

    x: float
    y: float
    width: float
    label: str
    short: str
    segment: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """The lane of one institution."""

    name: str
    y: float
    height: float
    dots: tuple[Dot, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled time on the scale."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All lanes, with the size of the drawing in pixels."""

    width: float
    height: float
    names_width: int
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]


class Scale:
    """Horizontal position of each time."""

    def __init__(self, times: Iterable[datetime], tr: Translation) -> None:
        self._times, self._tr = sorted(set(times)), tr
        x, self._positions = float(_LEFT), [float(_LEFT)]
        for before, after in zip(self._times, self._times[1:], strict=False):
            x += _STEP + _STRETCH * log10(1 + (after - before).total_seconds())
            self._positions.append(x)

    @property
    def end(self) -> float:
        """The position of the last time."""
        return self._positions[-1]

    def place(self, time: datetime) -> float:
        """Return the position of a time; between two known times it is interpolated."""
        if not self._times:
            return float(_LEFT)
        right = bisect_left(self._times, time)
        if right == len(self._times):
            return self.end
        if self._times[right] == time or right == 0:
            return self._positions[right]
        before, after = self._times[right - 1], self._times[right]
        share = (time - before) / (after - before)
        return self._positions[right - 1] + share * (self._positions[right] - self._positions[right - 1])

    def ticks(self, apart: float = 150) -> tuple[Tick, ...]:
        """Return the times to label, far enough from each other and from the end."""
        found: list[Tick] = []
        for time, x in zip(self._times, self._positions, strict=False):
            if not found or (x - found[-1].x >= apart and x + apart <= self.end + _RIGHT):
                found.append(Tick(x, self._tr.time(time)))
        return tuple(found)


def drawing(view: ReplayView) -> Drawing:
    """Draw the lanes of a case at the position of the slider."""
    at = view.position.at
    entries, rows = view.entries, tuple(row for row in waits(view.history_then, at).rows if _is_shown(row, view))
    scale = Scale([entry.at for entry in entries] + [time for row in rows for time in _ends(row, at)], view.tr)
    # The institutions in the order in which they appear, the exchange last.
    names = dict.fromkeys([entry.emitter for entry in entries] + [_lane_of(row) for row in rows])
    lanes, y = list[Lane](), float(_TOP)
    for name in sorted((name for name in names if name is not None), key=lambda name: name == EXCHANGE):
        waited = [row for row in rows if _lane_of(row) == name]
        bars = _bars(view.tr, scale, waited, y + _PAD, at)
        bottom = max((bar.y + _ROW for bar in bars), default=y + _PAD)
        emitted = [entry for entry in entries if entry.emitter == name]
        dots = tuple(_dot(view.tr, scale, entry, bottom + _ROW / 2) for entry in emitted)
        lanes.append(Lane(member_name(view.tr, name), y, bottom + _ROW + _PAD - y, dots, bars))
        y += lanes[-1].height
    # Every name fits on two lines, in a wide font.
    longest = max((len(line) for lane in lanes for line in _two_lines(lane.name)), default=0)
    return Drawing(scale.end + _RIGHT, y + _PAD, 24 + 9 * longest, tuple(lanes), scale.ticks())


def _two_lines(name: str) -> tuple[str, str]:
    """Split a name into two lines of about the same length."""
    words = name.split()
    splits = ((" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words) + 1))
    return min(splits, key=lambda lines: max(map(len, lines)), default=("", ""))


def _is_shown(row: WaitRow, view: ReplayView) -> bool:
    # A wait belongs to no event type and has no verdict.
    if view.filter.ineffective or view.filter.type:
        return False
    return not view.filter.agency or row.concerns(view.filter.agency)


def _ends(row: WaitRow, at: datetime) -> tuple[datetime, datetime]:
    # Pauses do not count as waits, so a paused wait is drawn as long as its unpaused time.
    return row.since, min(row.since + timedelta(seconds=row.seconds), at)


def _lane_of(row: WaitRow) -> str:
    """Return the institution that had to act; if none had to, the one that was being informed."""
    return row.waited_for or next((agency for agency in row.agencies if agency != row.waiting), row.waiting)


def _bars(tr: Translation, scale: Scale, rows: Sequence[WaitRow], y: float, at: datetime) -> tuple[Bar, ...]:
    """Return the bars of a lane. Bars that overlap in time are placed below each other."""
    ends, bars = list[float](), list[Bar]()
    for row in sorted(rows, key=lambda row: row.since):
        since, until = (scale.place(time) for time in _ends(row, at))
        level = next((level for level, end in enumerate(ends) if end <= since + 1), len(ends))
        ends[level : level + 1] = [max(until, since + 3)]
        width, short = max(until - since, 3.0), tr.duration(row.seconds)
        segment, service = tr.code("Segment", row.segment.value), tr.code("CaseService", row.service.value)
        bars.append(
            Bar(
                x=since,
                y=y + level * _ROW,
                width=width,
                label=f"{segment}: {short} ({service})",
                short=short if width > 8 * len(short) else "",
                segment=row.segment.value,
                is_open=row.notable,
            )
        )
    return tuple(bars)


def _dot(tr: Translation, scale: Scale, entry: ReplayedEntry, y: float) -> Dot:
    parts = (tr.time(entry.at), event_name(tr, entry.event_type), verdict_text(tr, entry))
    label = " · ".join(filter(None, parts))
    return Dot(scale.place(entry.at), y, label, entry.verdict.kind.value, entry.position)
