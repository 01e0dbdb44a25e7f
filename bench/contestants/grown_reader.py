"""A reader of the timeline that has just been started: its first replay and the next, or the figures."""

import random
import statistics
import time
from uuid import UUID

import psutil
import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from handoff import clock
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.timeline_reader import Timeline
from handoff.proof.log.checkpoint import Origin
from handoff.views.latency import Grouping


def run(job: Job) -> Outcome:
    """Replay the cases that the job names; in a job without cases, compute the figures."""
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    watch = Stopwatch()
    async with open_pool(job.database, max_size=1) as pool:
        timeline = Timeline(pool, Origin(job.jurisdiction, job.generation))
        if job.options["reads"] == "figures":
            watch.begin()
            groups = len(await timeline.figures(Grouping.SERVICE, clock.now()))
            return watch.end(1, answer_ms=_since_start() * 1000, groups=groups, start_seconds=0.0)
        cases = [UUID(case) for case in job.options["cases"]]
        watch.begin()
        await timeline.history(cases[0])
        started, took = _since_start(), list[float]()
        for case in random.Random(1).sample(cases, len(cases)):
            began = time.perf_counter()
            history = await timeline.history(case)
            took.append((time.perf_counter() - began) * 1000)
            if not history.own:
                raise LookupError(f"case {case} has no entries")
        return watch.end(len(cases), answer_ms=statistics.median(took), start_seconds=started)


def _since_start() -> float:
    return time.time() - psutil.Process().create_time()


if __name__ == "__main__":
    take_part(run)
