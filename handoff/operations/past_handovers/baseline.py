"""Baseline: figures of imported past handovers."""

from dataclasses import dataclass
from datetime import datetime

from handoff.adapters.postgres.past_handover_store import past_handover_store
from handoff.config import PostgresSettings
from handoff.views.past_handovers import PastFigures, past_figures


@dataclass(frozen=True, slots=True)
class Baseline:
    """Figures of one import. ``last_at`` is the newest time of the log, at which open waits are censored."""

    name: str
    last_at: datetime
    figures: tuple[PastFigures, ...]


async def baselines(settings: PostgresSettings) -> list[Baseline]:
    """Figures of each import that is done, by name. Raises asyncpg's errors and OSError."""
    async with past_handover_store(settings) as store:
        return [
            Baseline(name, last_at, tuple(past_figures(await store.handovers(name), last_at)))
            for name, last_at in await store.done()
            if last_at is not None
        ]
