"""The projection on its way to a size: it continues from the stored position and stops there."""

import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.handoff_projection import Nowhere
from bench.contestants.reading import TimedReader
from bench.window import Leg
from handoff import logging_setup
from handoff.adapters.postgres.timeline_store import Founding, open_timeline_store
from handoff.process import freeze_gc
from handoff.projection.observability import record_batch
from handoff.projection.pipeline import Pipeline
from handoff.verification.verifier import SignatureVerifier
from handoff.views.timeline_fold import TimelineBatch


def run(job: Job) -> Outcome:
    """Project the record up to its entry ``entries``."""
    logging_setup.set_up_logging(process="projection", stream=Nowhere())
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    watch = Stopwatch()
    reader = TimedReader(job, watch)
    async with open_timeline_store(job.database) as store:
        position = await store.take_over()
        leg = Leg(position.next_offset, job.entries)
        fold = await store.load_fold(Founding(job.jurisdiction, job.generation, job.genesis_sha256), position)
        freeze_gc()
        async with SignatureVerifier() as verifier:

            def stored(batch: TimelineBatch) -> None:
                record_batch(batch)
                watch.reached(batch.next_offset)
                leg.reached(batch.next_offset)

            await Pipeline(reader, store, fold, position).run(verifier, stored, until=job.entries)
            notes = leg.notes()
        outcome = watch.end(leg.end - leg.begin, **notes)
    await reader.close()
    return outcome


if __name__ == "__main__":
    take_part(run)
