"""What an operator does to a node's database beside the running node."""

from collections.abc import Iterable
from typing import Any

from handoff import clock
from handoff.adapters.postgres.node import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.config import PostgresSettings, ProcessSettings
from handoff.node import rebuild
from handoff.node.rows import OutboxRow
from handoff.record.envelope import Event, Source


async def store_events(settings: PostgresSettings, events: Iterable[Event[Any]]) -> int:
    """Puts events that were made elsewhere, as at the founding, into a node's outbox; gives how many are new."""
    async with open_pool(settings) as pool, PostgresStore(pool).transaction() as tx:
        now = clock.now()
        return await tx.enqueue([OutboxRow.of(event, now) for event in events])


async def pause_relay(settings: PostgresSettings, *, paused: bool) -> None:
    """Holds a node's relay back, or lets it go on; it notices within a tenth of a second."""
    async with open_pool(settings) as pool:
        await PostgresStore(pool).pause(paused=paused)


async def rebuild_node(settings: ProcessSettings) -> rebuild.RebuildReport:
    """Folds a node's kept inbox again."""
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    async with open_pool(settings.postgres) as pool:
        return await rebuild.rebuild(PostgresStore(pool), me, settings.genesis_sha256)
