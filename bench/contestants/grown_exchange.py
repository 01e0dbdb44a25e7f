"""The exchange on its way to a size: it routes the record from the stored position, and stops once it is past the size.

Its clock shows a time before the first deadline, so that it adds no entries of its own.
"""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

import asyncpg
import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.handoff_exchange import Nowhere, settings_of
from bench.stories import T0
from bench.window import Leg
from handoff import logging_setup
from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.exchange import build_exchange
from handoff.process import freeze_gc
from handoff.record.topics import EXCHANGE

_LOOK_SECONDS = 0.02
_SENT = "SELECT NOT EXISTS (SELECT FROM routed)"
_POSITION = "SELECT next_offset FROM position"


def run(job: Job) -> Outcome:
    """Route the record up to its entry ``entries`` at least."""
    logging_setup.set_up_logging(process=EXCHANGE, stream=Nowhere())
    freeze_gc()
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    with tempfile.TemporaryDirectory() as directory:
        settings = settings_of(job, Path(directory))
        async with open_pool(settings.postgres, max_size=8) as pool, asyncpg.create_pool(job.database.dsn) as looking:
            begin = await looking.fetchval(_POSITION)
            exchange = build_exchange(settings, pool=pool, clock=lambda: T0)
            working = asyncio.ensure_future(exchange.run())
            try:
                return await _until_routed(looking, Leg(begin, job.entries))
            finally:
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working


async def _until_routed(looking: asyncpg.Pool, leg: Leg) -> Outcome:
    watch, position = Stopwatch(), leg.begin
    watch.begin()
    while position < leg.end:
        await asyncio.sleep(_LOOK_SECONDS)
        position = await looking.fetchval(_POSITION)
        watch.reached(position)
        leg.reached(position)
    outcome = watch.end(position - leg.begin, **leg.notes())
    # The nodes are next: they need all of it.
    while True:
        if await looking.fetchval(_SENT):
            return outcome
        await asyncio.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    take_part(run)
