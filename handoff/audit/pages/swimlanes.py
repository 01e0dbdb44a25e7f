"""Swimlanes: who said what when, and who was waited for, as a drawing and as the words that stand for it.

Moments keep their order and long silences are drawn longer than short ones, but by their logarithm: minutes and
months fit on one page. Every bar tells its true length.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log10

from handoff.audit.i18n.translation import Words
from handoff.audit.pages.entry_filter import Selection
from handoff.audit.pages.entry_list import why
from handoff.audit.pages.formatting import member_words, type_words
from handoff.audit.pages.rendering import clock_words, duration_words
from handoff.record.envelope import EXCHANGE
from handoff.views.replay.history import History, ReplayedEntry
from handoff.views.replay.waits import WaitRow, waits

_LEFT, _RIGHT, _TOP = 16, 40, 34
_ROW, _PAD = 26, 10
_STEP, _STRETCH = 13, 15


@dataclass(frozen=True, slots=True)
class Dot:
    """Something that was said."""

    x: float
    y: float
    label: str
    outcome: str
    position: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A wait: who was waited for, for how long, and whether it still lasts."""

    x: float
    y: float
    width: float
    label: str
    short: str
    segment: str
    lasts: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One institution's lane."""

    name: str
    y: float
    height: float
    dots: tuple[Dot, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment on the scale."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All lanes, with the size of the drawing."""

    width: float
    height: float
    names_width: int
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]


class Scale:
    """Where a moment lies from left to right."""

    def __init__(self, moments: Iterable[datetime]) -> None:
        self._moments = sorted(set(moments))
        x, self._places = float(_LEFT), [float(_LEFT)]
        for before, after in zip(self._moments, self._moments[1:], strict=False):
            x += _STEP + _STRETCH * log10(1 + (after - before).total_seconds())
            self._places.append(x)

    @property
    def end(self) -> float:
        """The place of the last moment."""
        return self._places[-1]

    def place(self, moment: datetime) -> float:
        """The place of a moment; between two known ones in proportion."""
        if not self._moments:
            return float(_LEFT)
        right = bisect_left(self._moments, moment)
        if right == len(self._moments):
            return self.end
        if self._moments[right] == moment or right == 0:
            return self._places[right]
        before, after = self._moments[right - 1], self._moments[right]
        share = (moment - before) / (after - before)
        return self._places[right - 1] + share * (self._places[right] - self._places[right - 1])

    def ticks(self, apart: float = 150) -> tuple[Tick, ...]:
        """Moments to write down, far enough from each other and from the end."""
        found: list[Tick] = []
        for moment, x in zip(self._moments, self._places, strict=False):
            if not found or (x - found[-1].x >= apart and x + apart <= self.end + _RIGHT):
                found.append(Tick(x, clock_words(moment)))
        return tuple(found)


def drawing(said: Words, told: History, at: datetime, chosen: Selection) -> Drawing:
    """The lanes of a case as of ``at``."""
    shown = tuple(entry for entry in told.until(at).own if entry in chosen)
    waited = tuple(row for row in waits(told, at).rows if _is_chosen(row, chosen))
    scale = Scale([entry.at for entry in shown] + [moment for row in waited for moment in _ends(row, at)])
    pen = _Pen(said, scale, shown, waited, at)
    lanes, y = list[Lane](), float(_TOP)
    for name in pen.names():
        lanes.append(pen.lane(name, y))
        y += lanes[-1].height
    return Drawing(scale.end + _RIGHT, y + _PAD, _room(lane.name for lane in lanes), tuple(lanes), scale.ticks())


def _room(names: Iterable[str]) -> int:
    """The width in which every name stands on two lines, in a wide font."""
    longest = max((len(part) for name in names for part in _halves(name)), default=0)
    return 24 + 9 * longest


def _halves(name: str) -> tuple[str, str]:
    """A name on two lines as even as its words allow."""
    words = name.split()
    ways = ((" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words) + 1))
    return min(ways, key=lambda way: max(map(len, way)), default=("", ""))


def _is_chosen(row: WaitRow, chosen: Selection) -> bool:
    return not chosen.ineffective and not chosen.type and (not chosen.agency or row.concerns(chosen.agency))


def _ends(row: WaitRow, at: datetime) -> tuple[datetime, datetime]:
    # Pauses count for nobody: a wait that was paused is drawn as long as somebody waited.
    return row.since, min(row.since + timedelta(seconds=row.seconds), at)


def _owner(row: WaitRow) -> str:
    """In whose lane a wait is drawn: that of who had to act, else of who was being told."""
    return row.waited_for or next((agency for agency in row.agencies if agency != row.waiting), row.waiting)


@dataclass(frozen=True, slots=True)
class _Pen:
    """What is drawn, in which words, on which scale."""

    said: Words
    scale: Scale
    shown: tuple[ReplayedEntry, ...]
    waited: tuple[WaitRow, ...]
    at: datetime

    def names(self) -> tuple[str, ...]:
        """The institutions in the order in which they appear, the exchange last."""
        named = dict.fromkeys([entry.emitter for entry in self.shown] + [_owner(row) for row in self.waited])
        return tuple(sorted((name for name in named if name is not None), key=lambda name: name == EXCHANGE))

    def lane(self, name: str, y: float) -> Lane:
        """One institution's lane: the waits for it, and below them what it said."""
        bars = self._bars([row for row in self.waited if _owner(row) == name], y + _PAD)
        bottom = max((bar.y + _ROW for bar in bars), default=y + _PAD)
        own = [entry for entry in self.shown if entry.emitter == name]
        dots = tuple(self._dot(entry, bottom + _ROW / 2) for entry in own)
        return Lane(member_words(self.said, name), y, bottom + _ROW + _PAD - y, dots, bars)

    def _bars(self, rows: Sequence[WaitRow], y: float) -> tuple[Bar, ...]:
        """Bars below each other where they would overlap."""
        ends, bars = list[float](), list[Bar]()
        for row in sorted(rows, key=lambda row: row.since):
            since, until = (self.scale.place(moment) for moment in _ends(row, self.at))
            level = next((level for level, end in enumerate(ends) if end <= since + 1), len(ends))
            ends[level : level + 1] = [max(until, since + 3)]
            bars.append(self._bar(row, since, y + level * _ROW, max(until - since, 3.0)))
        return tuple(bars)

    def _bar(self, row: WaitRow, x: float, y: float, width: float) -> Bar:
        short = duration_words(self.said, row.seconds)
        segment = self.said.code("Segment", row.segment.value)
        label = f"{segment}: {short} ({self.said.code('CaseService', row.service.value)})"
        return Bar(x, y, width, label, short if width > 8 * len(short) else "", row.segment.value, row.notable)

    def _dot(self, told: ReplayedEntry, y: float) -> Dot:
        what = type_words(self.said, told.event_type)
        label = " · ".join(filter(None, (clock_words(told.at), what, why(self.said, told))))
        return Dot(self.scale.place(told.at), y, label, told.verdict.kind.value, told.position)
