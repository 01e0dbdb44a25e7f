"""A node on its way to a size: its intake folds the inbox topic, without policies; then commands are answered."""

import statistics
import time

import asyncpg
import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.handoff_projection import Nowhere
from bench.stories import key_of
from bench.window import Leg
from handoff import clock, logging_setup
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.node import build_desk
from handoff.domain.commands import OpenCase
from handoff.domain.decide import About
from handoff.domain.own_keys import OwnKeys
from handoff.node.inbox.intake import InboxIntake
from handoff.process import freeze_gc
from handoff.record.codes import EntryPoint, ReportingDelay
from handoff.record.envelope import Source
from handoff.record.topics import in_topic
from handoff.wakeup import Wakeup

MEMBER = "police"
_BATCH = 500
_COMMANDS = 100


def run(job: Job) -> Outcome:
    """Fold ``MEMBER``'s inbox up to ``entries`` of it."""
    logging_setup.set_up_logging(process=MEMBER, stream=Nowhere())
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    me, watch = Source(job.jurisdiction, job.generation, MEMBER), Stopwatch()
    topic = in_topic(job.jurisdiction, MEMBER)
    reader = RecordReader(job.kafka, job.jurisdiction, client_id="bench", topic=topic)
    async with open_pool(job.database) as pool:
        intake = InboxIntake(
            PostgresStore(pool), me, job.genesis_sha256, (), folded=Wakeup(), stored=Wakeup(), clock=clock.now
        )
        position = await intake.begin()
        leg = Leg(position.sequence, job.entries)
        await reader.start(position.next_offset)
        freeze_gc()
        watch.begin()
        sequence = leg.begin
        while sequence < leg.end:
            records = await reader.read(wait=1, limit=min(_BATCH, leg.end - sequence))
            if records:
                await intake.handle(records)
                sequence += len(records)
                watch.reached(sequence)
                leg.reached(sequence)
        notes = leg.notes()
        outcome = watch.end(leg.end - leg.begin, **notes, command_ms=await _command_ms(me, pool))
    await reader.close()
    return outcome


async def _command_ms(me: Source, pool: asyncpg.Pool) -> float:
    """Median time of a command, alone."""
    desk, took = build_desk(me, OwnKeys(MEMBER, key_of(MEMBER)), key_of(MEMBER).seed, pool), list[float]()
    command = OpenCase(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.SAME_DAY)
    for _ in range(_COMMANDS):
        began = time.perf_counter()
        await desk.submit(command, About())
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


if __name__ == "__main__":
    take_part(run)
