"""Reader of the timeline's database for the coordinator's board: its views have no case and no referral."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.adapters.postgres.timeline_reader import handoff_columns
from handoff.record.delivery import from_ms, to_ms
from handoff.views.board.handoff import BoardHandoff

_SQL = statements("board_reader.sql")


@dataclass(frozen=True, slots=True)
class BoardPosition:
    """Freshness of the board: entries of the record that the timeline has, and the record time of the last one.

    ``rules`` is the version of the rules in force there; None on an empty record.
    """

    next_offset: int
    record_time: datetime
    rules: int | None


@dataclass(frozen=True, slots=True)
class InstitutionSum:
    """Open handoffs that were sent to one institution: all, late ones, unseen ones, accepted ones, oldest request."""

    member: str
    open: int
    late: int
    unseen: int
    accepted: int
    oldest_ms: int


@dataclass(frozen=True)
class BoardReader:
    """Reads as the role `board`. Every method may raise ``StoreUnavailable``."""

    pool: asyncpg.Pool

    async def waiting(self, limit: int, institution: str | None = None) -> tuple[BoardHandoff, ...]:
        """Return handoffs that are open or have an open step: the most dangerous first, then the oldest."""
        return tuple(_handoff(row) for row in await self._fetch("waiting", limit, institution))

    async def open_handoffs(self) -> tuple[BoardHandoff, ...]:
        """Return all open handoffs."""
        return tuple(_handoff(row) for row in await self._fetch("open"))

    async def requested(self, since: datetime, until: datetime) -> tuple[BoardHandoff, ...]:
        """Return the handoffs that were requested from ``since`` to before ``until``."""
        return tuple(_handoff(row) for row in await self._fetch("requested", to_ms(since), to_ms(until)))

    async def institutions(self) -> tuple[InstitutionSum, ...]:
        """Return the sums of each institution that has to act, the one with the most late handoffs first."""
        return tuple(InstitutionSum(*row) for row in await self._fetch("institutions"))

    async def handoff_of(self, escalations: Iterable[UUID]) -> dict[UUID, UUID]:
        """Return the handoff of each escalation: reference of the handoff → reference of the escalation."""
        rows = await self._fetch("escalations", list(escalations))
        return {row["handoff"]: row["escalation"] for row in rows}

    async def position(self) -> BoardPosition:
        """Return the position of the timeline."""
        [row] = await self._fetch("position")
        return BoardPosition(row["next_offset"], from_ms(row["record_ms"]), row["rules"])

    async def _fetch(self, statement: str, *parameters: Any) -> list[asyncpg.Record]:
        with store_errors():
            return await self.pool.fetch(_SQL[statement], *parameters)


def _handoff(row: Any) -> BoardHandoff:
    return BoardHandoff(reference=row["reference"], chain=row["chain"] or row["reference"], **handoff_columns(row))
