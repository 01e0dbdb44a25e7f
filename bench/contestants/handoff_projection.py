"""The projection as it is: every stage on."""

import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.reading import TimedReader
from handoff import telemetry
from handoff.adapters.postgres.projection import Founding, ledger
from handoff.adapters.record_projection import Checker, Projecting
from handoff.process import spare_the_collector
from services.projection.journal import tell


def run(job: Job) -> Outcome:
    """The record on the timeline."""
    telemetry.set_up_logging(process="projection", stream=Nowhere())
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    watch = Stopwatch()
    reader = TimedReader(job, watch)

    async with ledger(job.database) as books:
        position = await books.take_over()
        chronicle = await books.chronicle(Founding(job.jurisdiction, job.generation, job.genesis_sha256), position)
        spare_the_collector()
        with Checker() as checker:
            await Projecting(reader, books, chronicle, position).run(checker, tell, until=job.entries)
        outcome = watch.end(job.entries)
    await reader.close()
    return outcome


class Nowhere:
    """Log lines are made, as they would be, and go nowhere."""

    def write(self, _text: str) -> int:
        return 0

    def flush(self) -> None:
        pass


if __name__ == "__main__":
    take_part(run)
