"""The exchange as in production: intake, router and relays in one process, until every inbox is complete."""

import asyncio
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.handoff_projection import Nowhere
from bench.stories import key_of
from handoff import logging_setup, telemetry
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.exchange import build_exchange
from handoff.config import ExchangeSettings, ProcessSettings
from handoff.process import freeze_gc
from handoff.record.topics import EXCHANGE

_LOOK_SECONDS = 0.02
_WAITING = "SELECT next_offset, NOT EXISTS (SELECT FROM routed) AS sent FROM position"


def run(job: Job) -> Outcome:
    """Route ``entries`` more events from the outgoing topics into the inboxes."""
    logging_setup.set_up_logging(process=EXCHANGE, stream=Nowhere())
    freeze_gc()
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    with tempfile.TemporaryDirectory() as directory:
        settings = settings_of(job, Path(directory))
        async with open_pool(settings.postgres, max_size=8) as pool:
            reader = RecordReader(job.kafka, job.jurisdiction, client_id="bench")
            before = await reader.end()
            working = asyncio.ensure_future(build_exchange(settings, pool=pool).run())
            try:
                return await _until_sent(pool, reader, before, before + job.entries)
            finally:
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working
                await reader.close()


async def _until_sent(pool: asyncpg.Pool, reader: RecordReader, before: int, end: int) -> Outcome:
    watch, submissions = Stopwatch(), end - before
    began, recorded, routed = 0.0, 0.0, 0.0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now, on_record = time.perf_counter(), await reader.end()
        if on_record > before and not began:
            watch.begin()
            began = now
        # Refusals share entries, so the record may have fewer than there were submissions.
        if not recorded and (on_record >= end or _processed() >= submissions):
            end, recorded = await reader.end(), now
        row = await pool.fetchrow(_WAITING)
        watch.reached(row["next_offset"] - before)
        if recorded and row["next_offset"] >= end and not routed:
            routed = now
        if routed and row["sent"]:
            return watch.end(submissions, recorded=recorded - began, routed=routed - began)


def _processed() -> float:
    """Number of submissions that intake has appended or refused, apart from the founding event."""
    samples = (sample for metric in telemetry.SUBMISSIONS.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


def settings_of(job: Job, directory: Path) -> ProcessSettings:
    """Return the settings of an exchange; ``directory`` is for its key."""
    key_file = directory / "exchange.key"
    key_file.write_text(key_of(EXCHANGE).seed.hex())
    return ProcessSettings(
        jurisdiction=job.jurisdiction,
        generation=job.generation,
        genesis_sha256=job.genesis_sha256,
        member=EXCHANGE,
        kafka=job.kafka,
        postgres=job.database,
        signing_key_file=key_file,
        instance="bench",
        # The exchange is measured, not the limit on one member.
        exchange=ExchangeSettings(member_rate=1_000_000, member_burst=1_000_000),
    )


if __name__ == "__main__":
    take_part(run)
