"""Growth: a long record is projected, read and projected again. Rate, memory and read time should stay constant."""

import asyncio
import random
import secrets
import statistics
import time
from collections.abc import Iterator

import asyncpg

from bench.contest import Job, Outcome
from bench.race import Spread, run
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand
from bench.stories import Place, Story
from handoff.adapters.postgres.timeline_reader import Timeline
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.proof.log.checkpoint import Origin
from handoff.record.topics import PROJECTION

_EVENTS_PER_STORY = 8
_CASES_READ = 200
_REBUILD = Aim(3.6, at_most=True)


def growth(stand: Stand, sizes: Sizes) -> Chapter:
    """The projection over a record of each size, and the duration of the whole fold compared with signatures alone."""
    jurisdiction, marks = stand.jurisdiction(), sizes.growth
    place = stand.lay_record(jurisdiction, marks[-1])
    findings: list[Measurement] = []
    for size in marks:
        whole = run("handoff_projection", _job(stand, jurisdiction, size))
        read = asyncio.run(_reading_ms(jurisdiction, place, size))
        stand.progress(f"{size:,} entries: {whole.rate:,.0f}/s, {whole.peak_mib:.0f} MiB")
        findings += _findings(size, whole, read)
    alone = run("verify_limit", _job(stand, jurisdiction, min(marks[-1], sizes.entries)))
    stand.progress(f"signatures alone: {alone.rate:,.0f}/s")
    findings += [
        Measurement("Signatures alone, on two threads", _once(alone.rate), "events/s"),
        Measurement(f"{size:,} rebuilt ÷ their signatures alone", _once(alone.rate / whole.rate), "times", _REBUILD),
    ]
    return Chapter("growth", "Growth of the record", findings, _REMARKS)


def _job(stand: Stand, jurisdiction: Jurisdiction, entries: int) -> Job:
    return stand.projection_job(jurisdiction, entries, as_operator=False, run=secrets.token_hex(4))


async def _reading_ms(jurisdiction: Jurisdiction, place: Place, size: int) -> float:
    """Median time to read and decode the whole timeline of a case."""
    dice = random.Random(size)
    numbers = [dice.randrange(size // _EVENTS_PER_STORY - 50) for _ in range(_CASES_READ)]
    dsn, found_in = jurisdiction.postgres_settings(PROJECTION, "reader").dsn, {"search_path": "timeline, public"}
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1, server_settings=found_in) as pool:
        timeline, took = Timeline(pool, Origin(place.name, place.plan.generation)), []
        for number in numbers:
            began = time.perf_counter()
            entries = await timeline.entries(Story(place, number).id("case"))
            took.append((time.perf_counter() - began) * 1000)
            if len(entries) != _EVENTS_PER_STORY:
                raise LookupError(f"case {number} has {len(entries)} entries")
    return statistics.median(took)


def _findings(size: int, whole: Outcome, read_ms: float) -> Iterator[Measurement]:
    yield Measurement(f"{size:,} entries: projected", _once(whole.rate), "events/s")
    yield Measurement(f"{size:,} entries: the projection's greatest memory", _once(whole.peak_mib), "MiB")
    yield Measurement(f"{size:,} entries: one case's timeline read", _once(read_ms), "ms")


def _once(value: float) -> Spread:
    return Spread(value, value, value)


_REMARKS = (
    "Each size is projected from the beginning into empty tables, as in a rebuild before the comparison.",
    "Signatures alone are measured over as many entries as fit into memory; each takes the same time.",
    "Each figure is measured once; the criterion is that figures stay constant with size.",
)
