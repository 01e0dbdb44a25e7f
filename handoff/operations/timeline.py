"""Reads of the timeline's database for operator commands."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from handoff import clock
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.timeline_reader import Timeline
from handoff.operations.bundle import bundle_request
from handoff.operations.installation_settings import InstallationSettings
from handoff.views.latency import Figures, Grouping
from handoff.views.replay.history import History
from handoff.views.timeline import TimelineEntry


async def timeline_of(installed: InstallationSettings, case: UUID) -> Sequence[TimelineEntry]:
    """Timeline of ``case``, in the record's order."""
    async with _reader(installed) as timeline:
        return await timeline.entries(case)


async def history_of(installed: InstallationSettings, case: UUID) -> History:
    """History of ``case`` for a replay, with its checkpoint status under the installation's trust file."""
    request = bundle_request(installed, case)
    async with _reader(installed) as timeline:
        return await timeline.history(case, request.trust)


@dataclass(frozen=True, slots=True)
class HandoffFigures:
    """Waiting times of handoffs by group, and the version of the record's rules by which they were judged."""

    rules: int | None
    groups: Sequence[Figures]


async def handoff_figures(installed: InstallationSettings, grouping: Grouping = Grouping.SERVICE) -> HandoffFigures:
    """Waiting times of handoffs by group, as of now."""
    async with _reader(installed) as timeline:
        return HandoffFigures(await timeline.rules(), await timeline.figures(grouping, clock.now()))


@asynccontextmanager
async def _reader(installed: InstallationSettings) -> AsyncIterator[Timeline]:
    async with open_pool(installed.timeline_reader, max_size=1) as pool:
        yield Timeline(pool, installed.origin)
