"""Faust: an agent, with one INSERT for each event."""

from typing import Any

from bench.contest import Job, Outcome, take_part
from bench.contestants.faust_app import Worker, run_worker
from bench.contestants.same_work import SameWork, entry
from handoff.record.topics import record_topic


def run(job: Job) -> Outcome:
    """Project the record to the timeline."""
    return run_worker(job, _race)


async def _race(worker: Worker) -> Outcome:
    work = SameWork(worker.job)
    connection = await work.connect()

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            worker.watch.begin()
            await work.insert(connection, work.batch([entry(event.message)]))
            worker.did(1)

    return await worker.work([record_topic(worker.job.jurisdiction)], agent)


if __name__ == "__main__":
    take_part(run)
