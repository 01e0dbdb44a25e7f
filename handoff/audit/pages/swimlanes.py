"""Swimlanes: the events of each institution and the waits for it, as a drawing and as the text of each shape.

Times keep their order. The distance between two times is the logarithm of the time between them, so that minutes and
months fit on one page. Every bar is labelled with its true duration, and the scale is stretched where a label needs it.
Hatched parts of a bar are pauses, which its duration does not include.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log10
from uuid import UUID

from handoff.audit.pages.entry_list import verdict_text
from handoff.audit.pages.formatting import event_name
from handoff.audit.pages.replay_view import ReplayView
from handoff.domain.handoff_clock import Segment, segments
from handoff.record.envelope import EXCHANGE
from handoff.views.replay.history import ReplayedEntry
from handoff.views.replay.waits import WaitRow, waits
from handoff.web.pages.names import member_name
from handoff.web.pages.translation import Translation

_LEFT, _RIGHT, _TOP = 16, 40, 34
_ROW, _PAD = 26, 10
_STEP, _STRETCH = 13, 15
_SCREEN, _DENSITIES = 1000, (1.0, 0.85, 0.7, 0.55)
"""Width of a drawing that needs no scrolling at 1280 pixels, and the factors of the scale that are tried for it."""
_LETTER = 7.0
"""Width of a letter of a label, in a wide font."""


_Ends = Mapping[tuple[UUID, Segment], datetime]


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
    """A wait, its pauses, and whether it is still open. ``short`` is its duration, drawn inside the bar."""

    x: float
    y: float
    width: float
    label: str
    short: str
    segment: str
    is_open: bool
    pauses: tuple["HatchedPart", ...]


@dataclass(frozen=True, slots=True)
class HatchedPart:
    """A part of a bar in which its clock stopped."""

    x: float
    width: float
    label: str


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
    """A labelled time on the scale. The last one is the end of the drawing: the present, or the slider's time."""

    x: float
    label: str
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """All lanes, with the size of the drawing in pixels."""

    width: float
    height: float
    names_width: int
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]


class Scale:
    """Horizontal position of each time. The scale is denser if a case would not fit on a screen otherwise.

    ``least_widths`` maps the start and end of a bar to the width that its label needs.
    """

    def __init__(
        self, times: Iterable[datetime], tr: Translation, least_widths: Mapping[tuple[datetime, datetime], float]
    ) -> None:
        self._times, self._tr = sorted({*times, *(time for ends in least_widths for time in ends)}), tr
        widths: dict[datetime, list[tuple[datetime, float]]] = {}
        for (since, until), width in least_widths.items():
            widths.setdefault(until, []).append((since, width))
        self._positions = [float(_LEFT)]
        for density in _DENSITIES:
            self._positions = self._placed(widths, density)
            if self.end <= _SCREEN:
                break

    def _placed(self, widths: Mapping[datetime, list[tuple[datetime, float]]], density: float) -> list[float]:
        placed: dict[datetime, float] = {}
        x, before = float(_LEFT), None
        for time in self._times:
            if before is not None:
                x += density * (_STEP + _STRETCH * log10(1 + (time - before).total_seconds()))
            x = max([x, *(placed[since] + width for since, width in widths.get(time, ()) if since < time)])
            placed[time], before = x, time
        return list(placed.values())

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

    def ticks(self, end: str, apart: float = 150) -> tuple[Tick, ...]:
        """Return the times to label, far enough from each other; the last one is the end, with the label ``end``."""
        found: list[Tick] = []
        for time, x in zip(self._times, self._positions, strict=False):
            if not found or x - found[-1].x >= apart:
                # The label of the end is left of its line, that of another time is right of it.
                if x + 2 * apart > self.end:
                    break
                found.append(Tick(x, self._tr.time(time)))
        return (*found, Tick(self.end, end, is_end=True))


def drawing(view: ReplayView) -> Drawing:
    """Draw the lanes of a case at the position of the slider."""
    at = view.position.at
    entries, rows = view.entries, tuple(row for row in waits(view.history_then, at).rows if _is_shown(row, view))
    ends = _ends(view)
    needed = {
        (row.since, ends[row.referral, row.segment]): _LETTER * len(view.tr.duration(row.seconds)) + _PAD
        for row in rows
    }
    scale = Scale([*(entry.at for entry in entries), at], view.tr, needed)
    # The institutions in the order in which they appear, the exchange last.
    names = dict.fromkeys([entry.emitter for entry in entries] + [_lane_of(row) for row in rows])
    lanes, y = list[Lane](), float(_TOP)
    for name in sorted((name for name in names if name is not None), key=lambda name: name == EXCHANGE):
        waited = [row for row in rows if _lane_of(row) == name]
        bars = _bars(view, scale, waited, ends, y + _PAD)
        bottom = max((bar.y + _ROW for bar in bars), default=y + _PAD)
        emitted = [entry for entry in entries if entry.emitter == name]
        dots = tuple(_dot(view.tr, scale, entry, bottom + _ROW / 2) for entry in emitted)
        lanes.append(Lane(member_name(view.tr, name), y, bottom + _ROW + _PAD - y, dots, bars))
        y += lanes[-1].height
    # Every name fits on two lines, in a wide font.
    longest = max((len(line) for lane in lanes for line in _two_lines(lane.name)), default=0)
    time = view.tr.time(at)
    ticks = scale.ticks(view.tr("now, {time}", time=time) if view.position.is_now else time)
    return Drawing(scale.end + _RIGHT, y + _PAD, 24 + 9 * longest, tuple(lanes), ticks)


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


def _lane_of(row: WaitRow) -> str:
    """Return the institution that had to act; if none had to, the one that was being informed."""
    return row.waited_for or next((agency for agency in row.agencies if agency != row.waiting), row.waiting)


def _ends(view: ReplayView) -> _Ends:
    """Return the end, or the present one, of each segment of each handoff. A pause is no end."""
    at = view.position.at
    return {
        (handoff.referral, span.segment): span.until
        for handoff in view.history_then.handoffs
        for span in segments(handoff, at)
    }


def _bars(view: ReplayView, scale: Scale, rows: Sequence[WaitRow], until_of: _Ends, y: float) -> tuple[Bar, ...]:
    """Return the bars of a lane. Bars that overlap in time are placed below each other."""
    tr, ends, bars = view.tr, list[float](), list[Bar]()
    for row in sorted(rows, key=lambda row: row.since):
        end = until_of[row.referral, row.segment]
        since, until = scale.place(row.since), scale.place(end)
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
                short=short,
                segment=row.segment.value,
                is_open=row.notable,
                pauses=tuple(_pauses(view, scale, row, end)),
            )
        )
    return tuple(bars)


def _pauses(view: ReplayView, scale: Scale, row: WaitRow, end: datetime) -> Iterator[HatchedPart]:
    [handoff] = (handoff for handoff in view.history_then.handoffs if handoff.referral == row.referral)
    for pause in handoff.pauses:
        since, until = max(pause.since, row.since), min(pause.until or end, end)
        if since < until:
            x, lasted = scale.place(since), view.tr.duration((until - since).total_seconds())
            yield HatchedPart(x, max(scale.place(until) - x, 3.0), view.tr("Pause: {duration}", duration=lasted))


def _dot(tr: Translation, scale: Scale, entry: ReplayedEntry, y: float) -> Dot:
    parts = (tr.time(entry.at), event_name(tr, entry.event_type), verdict_text(tr, entry))
    label = " · ".join(filter(None, parts))
    return Dot(scale.place(entry.at), y, label, entry.verdict.kind.value, entry.position)
