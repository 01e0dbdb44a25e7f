"""Checkpoint log of a test's record: published requests, and their verification."""

from handoff import clock
from handoff.adapters.postgres.checkpoint_store import CheckpointStore, LogCheckpoint, checkpoint_connection
from handoff.proof.log.checkpoint import EMPTY_TREE_HEAD, TreeHead
from handoff.proof.log.witness import AddCheckpoint, evaluate_request
from handoff.record.delivery import to_ms
from tests.support.parts.proof_record import Appended, entries_of, tree
from tests.support.parts.record_writer import RecordedCase, RecordWriter
from tests.support.probes.eventually import eventually


async def published(writer: RecordWriter) -> list[AddCheckpoint]:
    """Return the requests on the checkpoints topic, in order."""
    topic, requests = writer.checkpoints, list[AddCheckpoint]()
    await topic.start(0)
    try:
        end = await topic.end()
        while len(requests) < end:
            requests += [AddCheckpoint.parse(body) for _, body in await topic.read(wait=1)]
    finally:
        await topic.close()
    return requests


async def publish(writer: RecordWriter, *requests: AddCheckpoint) -> None:
    topic = writer.checkpoints
    for request in requests:
        await topic.publish(request)
    await topic.close()


async def until_more_checkpoints(writer: RecordWriter, count: int = 1) -> list[AddCheckpoint]:
    """Returns once the log has published so many more."""
    before = len(await published(writer))

    async def enough() -> bool:
        return len(await published(writer)) >= before + count

    await eventually(enough)
    return await published(writer)


async def roots(writer: RecordWriter, *sizes: int) -> list[bytes]:
    """The record's roots, from its raw topic and nothing else."""
    entries = entries_of(Appended(e.offset, e.appended_ms, e.message) for e in await writer.record())
    return [tree(entries[:size]).root for size in sizes]


async def append_cases(writer: RecordWriter, first: int, cases: int) -> int:
    """Tells cases, and returns once they are on the timeline; gives how far it is."""
    await writer.append(*(m for n in range(first, first + cases) for m in RecordedCase(writer.town, n).whole()))
    return await writer.until_caught_up()


def witnessed_heads(writer: RecordWriter, requests: list[AddCheckpoint]) -> list[TreeHead]:
    """The heads that a witness moves through, which believes nothing but proofs."""
    head, heads = EMPTY_TREE_HEAD, list[TreeHead]()
    for request in requests:
        head = evaluate_request(head, request, writer.log.public_key).after
        heads.append(head)
    return heads


async def store_checkpoint(writer: RecordWriter, epoch: int | None) -> LogCheckpoint | None:
    """Store a checkpoint under ``epoch`` or the current epoch, without publishing it."""
    async with checkpoint_connection(writer.settings().postgres) as connection:
        if epoch is None:
            epoch = await connection.fetchval("SELECT epoch FROM position")
        return await CheckpointStore(connection, writer.log, epoch).store_due(to_ms(clock.now()))


async def wipe_timeline(writer: RecordWriter) -> None:
    """Reset the database to its state before the first entry, except for the epoch."""
    await writer.execute("wipe_timeline")
