"""quixstreams: a sink that batches, plain JSON, and COPY into one table."""

import asyncio
from typing import Any

import asyncpg

from bench.contest import Job, Outcome, take_part
from bench.contestants.appending import COLUMNS, row_of_json
from bench.contestants.quix_copy import race
from handoff.adapters.postgres.timeline_store import connect


def run(job: Job) -> Outcome:
    """Append the record to one table."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(connect(job.database))
    return race(job, lambda items: loop.run_until_complete(_copy(connection, items)))


async def _copy(connection: asyncpg.Connection, items: list[Any]) -> None:
    rows = [row_of_json(item.offset, item.value) for item in items]
    await connection.copy_records_to_table("appended", records=rows, columns=COLUMNS)


if __name__ == "__main__":
    take_part(run)
