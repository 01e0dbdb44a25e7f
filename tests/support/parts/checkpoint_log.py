"""Checkpoint log of a test's record: published requests, and their verification."""

from handoff import clock
from handoff.adapters.postgres.checkpoint_store import CheckpointStore, LogCheckpoint, checkpoint_connection
from handoff.proof.log.checkpoint import EMPTY_TREE_HEAD, TreeHead
from handoff.proof.log.witness import AddCheckpoint, evaluate_request
from handoff.record.delivery import to_ms
from tests.support.parts.proof_record import Appended, entries_of, tree
from tests.support.parts.record_writer import RecordKeeper, Story
from tests.support.probes.eventually import eventually


async def published(keeper: RecordKeeper) -> list[AddCheckpoint]:
    """Return the requests on the checkpoints topic, in order."""
    topic, requests = keeper.checkpoints, list[AddCheckpoint]()
    await topic.start(0)
    try:
        end = await topic.end()
        while len(requests) < end:
            requests += [AddCheckpoint.parse(body) for _, body in await topic.read(wait=1)]
    finally:
        await topic.close()
    return requests


async def publish(keeper: RecordKeeper, *requests: AddCheckpoint) -> None:
    topic = keeper.checkpoints
    for request in requests:
        await topic.publish(request)
    await topic.close()


async def more_checkpoints(keeper: RecordKeeper, count: int = 1) -> list[AddCheckpoint]:
    """Returns once the log has published so many more."""
    before = len(await published(keeper))

    async def enough() -> bool:
        return len(await published(keeper)) >= before + count

    await eventually(enough)
    return await published(keeper)


async def roots(keeper: RecordKeeper, *sizes: int) -> list[bytes]:
    """The record's roots, from its raw topic and nothing else."""
    entries = entries_of(Appended(e.offset, e.appended_ms, e.message) for e in await keeper.record())
    return [tree(entries[:size]).root for size in sizes]


async def grow(keeper: RecordKeeper, first: int, stories: int) -> int:
    """Tells stories, and returns once they are on the timeline; gives how far it is."""
    await keeper.append(*(m for n in range(first, first + stories) for m in Story(keeper.town, n).whole()))
    return await keeper.caught_up()


def walked(keeper: RecordKeeper, requests: list[AddCheckpoint]) -> list[TreeHead]:
    """The heads that a witness moves through, which believes nothing but proofs."""
    head, heads = EMPTY_TREE_HEAD, list[TreeHead]()
    for request in requests:
        head = evaluate_request(head, request, keeper.log.public_key).after
        heads.append(head)
    return heads


async def state_once(keeper: RecordKeeper, epoch: int | None) -> LogCheckpoint | None:
    """Store a checkpoint under ``epoch`` or the current epoch, without publishing it."""
    async with checkpoint_connection(keeper.settings().postgres) as connection:
        if epoch is None:
            epoch = await connection.fetchval("SELECT epoch FROM position")
        return await CheckpointStore(connection, keeper.log, epoch).store_due(to_ms(clock.now()))


async def forget_everything(keeper: RecordKeeper) -> None:
    """Reset the database to its state before the first entry, except for the epoch."""
    await keeper.execute("wipe_timeline")
