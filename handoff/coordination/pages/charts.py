"""Geometry of the board's charts: the ageing chart and the distribution of waits, in pixels of an SVG."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10

from handoff.domain.handoff_clock import Segment
from handoff.record.codes import Urgency
from handoff.views.board.ageing import PERCENTILES, Ageing
from handoff.views.survival import Wait, survival
from handoff.web.pages.translation import Translation

WIDTH, HEIGHT = 1000, 420
_LEFT, _TOP, _BOTTOM = 70, 16, 370
_TICKS = (60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)
_LONGEST = 400 * 86_400
_DANGER = {Urgency.EMERGENCY: 7.0, Urgency.HIGH: 6.0, Urgency.NORMAL: 5.0, Urgency.LOW: 4.5}


@dataclass(frozen=True, slots=True)
class Mark:
    """A dot, or a bin with its count as text."""

    x: float
    y: float
    radius: float
    kind: str
    label: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class PercentileBand:
    """The part of a column between two percentiles."""

    x: float
    y: float
    width: float
    height: float
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """The column of one segment."""

    x: float
    width: float
    label: str


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A labelled value of an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class AgeingChart:
    """Shapes of the ageing chart."""

    columns: tuple[Column, ...]
    ticks: tuple[AxisTick, ...]
    bands: tuple[PercentileBand, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A step line: the share that has ended after a time. ``naive`` leaves the open ones out."""

    points: str
    naive: str
    ticks: tuple[AxisTick, ...]
    shares: tuple[AxisTick, ...]


def ageing_chart(tr: Translation, chart: Ageing, names: dict[str, str]) -> AgeingChart:
    """Return the shapes of an ageing chart; ``names`` are those of the institutions."""
    width = (WIDTH - _LEFT) / len(Segment)
    place = {segment: _LEFT + number * width for number, segment in enumerate(Segment)}
    columns = tuple(Column(place[segment], width, tr.code("Segment", segment.value)) for segment in Segment)
    bands = list[PercentileBand]()
    for band in chart.bands:
        bottom = float(_BOTTOM)
        for part, seconds in zip(PERCENTILES, band.seconds, strict=True):
            if seconds is not None:
                top = _height(seconds)
                bands.append(
                    PercentileBand(place[band.segment], top, width, max(bottom - top, 0), f"p{part * 100:.0f}")
                )
                bottom = top
    return AgeingChart(
        columns,
        _time_ticks(tr),
        tuple(bands),
        (*_dots(tr, chart, place, width, names), *_bins(tr, chart, place, width)),
    )


def _dots(
    tr: Translation, chart: Ageing, place: dict[Segment, float], width: float, names: dict[str, str]
) -> Iterable[Mark]:
    for dot in chart.dots:
        # The reference spreads the dots over the column, so that the same handoff keeps its place.
        share = dot.reference.int % 997 / 997
        label = (
            f"{str(dot.reference)[:8]} · {names.get(dot.owes, dot.owes)} · {tr.code('Urgency', dot.urgency.value)} · "
            f"{tr.duration(dot.seconds)}"
        )
        x = place[dot.segment] + 12 + share * (width - 24)
        yield Mark(x, _height(dot.seconds), _DANGER[dot.urgency], dot.urgency.value, label)


def _bins(tr: Translation, chart: Ageing, place: dict[Segment, float], width: float) -> Iterable[Mark]:
    for one in chart.bins:
        middle = (_height(one.seconds) + _height(one.until)) / 2
        text = str(one.count) if one.count is not None else tr("hidden")
        label = f"{tr.duration(one.seconds)} - {tr.duration(one.until)}: {text}"
        yield Mark(place[one.segment] + width / 2, middle, min(6 + (one.count or 1) ** 0.5, 22), "bin", label, text)


def _height(seconds: float) -> float:
    """Return the y of an age, on a logarithmic scale from one minute."""
    share = log10(max(seconds, 60) / 60) / log10(_LONGEST / 60)
    return _BOTTOM - min(share, 1.0) * (_BOTTOM - _TOP)


def _time_ticks(tr: Translation) -> tuple[AxisTick, ...]:
    return tuple(AxisTick(_height(seconds), tr.duration(seconds)) for seconds in _TICKS)


def curve(tr: Translation, waits: Sequence[Wait]) -> Curve:
    """Return the Kaplan-Meier curve of the waits, and the naive one of those that ended."""
    ended = [wait for wait in waits if wait.ended]
    shares = tuple(AxisTick(_share(part), f"{part:.0%}") for part in (0.0, 0.25, 0.5, 0.75, 1.0))
    ticks = tuple(AxisTick(_across(seconds), tr.duration(seconds)) for seconds in _TICKS)
    return Curve(_steps(waits), _steps(ended), ticks, shares)


def _steps(waits: Sequence[Wait]) -> str:
    points, done = [f"{_LEFT},{_share(0.0):.1f}"], 0.0
    for seconds, lasting in survival(waits):
        x = _across(seconds)
        points += [f"{x:.1f},{_share(done):.1f}", f"{x:.1f},{_share(1 - lasting):.1f}"]
        done = 1 - lasting
    return " ".join([*points, f"{WIDTH},{_share(done):.1f}"])


def _across(seconds: float) -> float:
    share = log10(max(seconds, 60) / 60) / log10(_LONGEST / 60)
    return _LEFT + min(share, 1.0) * (WIDTH - _LEFT)


def _share(part: float) -> float:
    return _BOTTOM - part * (_BOTTOM - _TOP)
