"""Growth: one long record, and each of its readers at every size. Rate, memory and answer time should stay constant.

The record is laid out once. Each reader goes from size to size as a process that is started again at each: it continues
from its stored position, so its start, its rate and its memory are those of that size.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any, Final

from bench.contest import Job, Outcome
from bench.contestants.grown_node import MEMBER
from bench.mixed_record import GROUP, SHARES, STORIES, MixedRecord
from bench.race import Spread, run
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.topics import EXCHANGE, PROJECTION

_CASES_READ: Final = 50
_CONSTANT: Final = Aim(1.2, at_most=True)
_REBUILD: Final = Aim(3.6, at_most=True)
_READER: Final = "grown_reader"

_Figures = dict[str, dict[int, tuple[float, str]]]
"""Name of a figure → size → value and unit."""


def growth(stand: Stand, sizes: Sizes) -> Chapter:
    """Every reader of the record at each size, and what it needs there compared with the smallest size."""
    jurisdiction, marks = stand.jurisdiction(), sizes.growth
    began = time.monotonic()
    stand.lay_mixed(jurisdiction, marks[-1])
    stand.progress(f"the record is laid out: {time.monotonic() - began:,.0f} s")
    figures: _Figures = {}
    stand.projection_job(jurisdiction, 0, as_operator=True)
    for size in marks:
        projection = stand.job(jurisdiction, (PROJECTION, "writer"), size)
        _note(stand, figures, "projection", size, run("grown_projection", projection))
        # Autovacuum does so some time later: a reader's start reads the append times from the index alone.
        stand.vacuum(jurisdiction)
        for name, job in _reads(stand, jurisdiction, size):
            _note(stand, figures, name, size, run(_READER, job))
    for name, role, entries in (
        ("exchange", (EXCHANGE, ""), lambda size: size),
        # This node receives everything but the escalations.
        ("node", (MEMBER, ""), lambda size: size * 98 // 100),
    ):
        for size in marks:
            outcome = run(f"grown_{name}", stand.job(jurisdiction, role, entries(size), run=secrets.token_hex(4)))
            _note(stand, figures, name, size, outcome)
    alone = run("verify_limit", stand.job(jurisdiction, (PROJECTION, "writer"), min(marks[-1], sizes.entries)))
    return Chapter("growth", "Growth of the record", list(_findings(figures, marks, alone)), _REMARKS)


def _reads(stand: Stand, jurisdiction: Jurisdiction, size: int) -> Iterator[tuple[str, Job]]:
    """Yield the reads of the timeline at a size: replays of some cases, and the figures."""
    record, complete = MixedRecord(jurisdiction.plan), (size // GROUP - 1) * STORIES
    numbers = Random(size).sample(range(complete), min(_CASES_READ, complete))
    job = stand.job(jurisdiction, (PROJECTION, "reader"), 1)
    yield "replay", replace(job, options={"reads": "cases", "cases": [str(record.case(number)) for number in numbers]})
    yield "figures", replace(job, options={"reads": "figures"})


_SHOWN: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "projection": (("rate", "events/s", "window_rate"), ("memory", "MiB", "mib"), ("start", "s", "start_seconds")),
    "replay": (("answer", "ms", "answer_ms"), ("memory", "MiB", "peak"), ("start", "s", "start_seconds")),
    "figures": (("answer, start included", "ms", "answer_ms"), ("memory", "MiB", "peak")),
    "exchange": (("rate", "events/s", "window_rate"), ("memory", "MiB", "mib"), ("start", "s", "start_seconds")),
    "node": (
        ("rate", "entries/s", "window_rate"),
        ("a command", "ms", "command_ms"),
        ("memory", "MiB", "mib"),
        ("start", "s", "start_seconds"),
    ),
}
"""Reader → its figures: name, unit, and the note of the outcome."""


def _note(stand: Stand, figures: _Figures, reader: str, size: int, outcome: Outcome) -> None:
    notes: Mapping[str, Any] = {**outcome.notes, "peak": outcome.peak_mib}
    for name, unit, note in _SHOWN[reader]:
        figures.setdefault(f"{reader}: {name}", {})[size] = float(notes[note]), unit
    shown = ", ".join(f"{name} {float(notes[note]):,.1f} {unit}" for name, unit, note in _SHOWN[reader])
    stand.progress(
        f"{size:,} entries, {reader}: {shown} ({outcome.rate:,.0f}/s in all, {outcome.cpu_us:.0f} µs of CPU)"
    )


def _findings(figures: _Figures, marks: tuple[int, ...], alone: Outcome) -> Iterator[Measurement]:
    for name, by_size in figures.items():
        for size, (value, unit) in by_size.items():
            yield Measurement(f"{size:,} entries: {name}", _once(value), unit)
        (first, unit), (last, _) = by_size[marks[0]], by_size[marks[-1]]
        # A ratio above 1 is the cost of growth: less rate, or more of anything else.
        grown = first / last if unit.endswith("/s") else last / first
        yield Measurement(f"{name}: {marks[-1]:,} ÷ {marks[0]:,}", _once(grown), "times", _CONSTANT)
    yield Measurement("Signatures alone, on two threads", _once(alone.rate), "events/s")
    rebuilt = figures["projection: rate"][marks[-1]][0]
    yield Measurement(
        f"{marks[-1]:,} projected ÷ their signatures alone", _once(alone.rate / rebuilt), "times", _REBUILD
    )


def _once(value: float) -> Spread:
    return Spread(value, value, value)


_REMARKS = (
    SHARES,
    "A rate is that of the last 10,000 entries before the size, of a process started again at the size before.",
    "A start is from the start of the process, with its imports, to its first stored batch or its first answer.",
    "The ratio compares the largest size with the smallest: a lower rate, or more memory or time, is above 1.",
    "The exchange routes the record; its intake, which keeps no state that grows, is not part of this.",
    "Each figure is measured once; the criterion is that figures stay constant with size.",
)
