"""The coordinator's first words, put where all of its words begin: into its own node's outbox."""

from datetime import datetime

from handoff import clock
from handoff.adapters.postgres.node import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.node.bell import Bell
from handoff.node.desk import Desk
from handoff.record.envelope import COORDINATION
from handoff.trial.installation import Installation


async def submit(installation: Installation, now: datetime) -> int:
    """Stores the founding event and the admissions; gives how many are new. Idempotent."""
    async with open_pool(installation.jurisdiction.postgres_settings(COORDINATION), max_size=1) as pool:
        desk = Desk(PostgresStore(pool), installation.charter.source, Bell(), Bell(), clock.now, clock.new_id)
        return await desk.publish(list(installation.founding_events(now)))
