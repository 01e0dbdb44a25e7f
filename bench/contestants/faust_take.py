"""Faust: an agent that takes batches, and COPY."""

from typing import Any

from bench.contest import Job, Outcome, take_part
from bench.contestants.faust_app import Worker, run_worker
from bench.contestants.same_work import SameWork, entry
from handoff.record.topics import record_topic

_BATCH = 1000
_WITHIN_SECONDS = 0.1


def run(job: Job) -> Outcome:
    """Project the record to the timeline."""
    return run_worker(job, _race)


async def _race(worker: Worker) -> Outcome:
    work = SameWork(worker.job)
    connection = await work.connect()

    async def agent(stream: Any) -> None:
        # A batch of events, not of values: offsets and signatures are attributes of the messages.
        async for events in stream.noack_take(_BATCH, within=_WITHIN_SECONDS):
            worker.watch.begin()
            await work.copy(connection, work.batch([entry(event.message) for event in events]))
            for event in events:
                event.ack()
            worker.did(len(events))

    return await worker.work([record_topic(worker.job.jurisdiction)], agent)


if __name__ == "__main__":
    take_part(run)
