"""The projection as it is: every stage on."""

import gc
from typing import Any

import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.reading import TimedReader
from handoff import telemetry
from handoff.adapters.postgres.projection import Founding, ledger
from handoff.adapters.record_projection import Checker, Projecting
from handoff.views.chronicle import Page
from services.projection.journal import tell


def run(job: Job) -> Outcome:
    """The record on the timeline."""
    telemetry.set_up_logging(process="projection", stream=Nowhere())
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    watch, growth = Stopwatch(), _Growth(job.options.get("marks", ()))
    reader = TimedReader(job, watch)

    def told(page: Page) -> None:
        tell(page)
        growth.reached(page.next_offset, watch)

    async with ledger(job.database) as books:
        position = await books.take_over()
        chronicle = await books.chronicle(Founding(job.jurisdiction, job.generation, job.genesis_sha256), position)
        gc.freeze()
        with Checker() as checker:
            await Projecting(reader, books, chronicle, position).run(checker, told, until=job.entries)
        outcome = watch.end(job.entries, growth=growth.passed)
    await reader.close()
    return outcome


class _Growth:
    """How long it took, and with how much memory, to reach certain offsets."""

    def __init__(self, marks: Any) -> None:
        self._marks = sorted(marks)
        self.passed: list[dict[str, float]] = []

    def reached(self, offset: int, watch: Stopwatch) -> None:
        while self._marks and offset >= self._marks[0]:
            so_far = watch.end(offset)
            self.passed.append({"mark": self._marks.pop(0), "seconds": so_far.seconds, "peak_mib": so_far.peak_mib})


class Nowhere:
    """Log lines are made, as they would be, and go nowhere."""

    def write(self, _text: str) -> int:
        return 0

    def flush(self) -> None:
        pass


if __name__ == "__main__":
    take_part(run)
