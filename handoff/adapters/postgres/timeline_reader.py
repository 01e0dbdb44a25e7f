"""Read access to the timeline: entries of a case and handoffs. A reader's role suffices."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from handoff.adapters.postgres.checkpoints import newest_cosigned
from handoff.adapters.postgres.named_statements import statements
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.codes import CaseService, State, Urgency
from handoff.record.delivery import from_ms, to_ms
from handoff.views.handoffs import Ending, Handoff
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.history import FRAMING, PASSING, History, decode_entry, history
from handoff.views.timeline import StoredEntry, TimelineEntry, timeline_entry

_SQL = statements("timeline_reader.sql")


@dataclass(frozen=True, slots=True)
class HandoffFilter:
    """Filter for handoffs. Fields set to None do not filter."""

    case: UUID | None = None
    service: CaseService | None = None
    urgency: Urgency | None = None
    open_only: bool = False


class Timeline:
    """Reader of the projection's tables."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def entries(self, case: UUID) -> tuple[TimelineEntry, ...]:
        """Return the timeline of ``case`` in the record's order; empty for an unknown case."""
        rows = await self._pool.fetch(_SQL["timeline"], str(case).encode())
        return tuple(timeline_entry(StoredEntry(*row)) for row in rows)

    async def history(self, case: UUID) -> History:
        """Return the history of ``case`` for a replay; without entries for an unknown case."""
        return await _history(self._pool, case)

    async def proven_history(self, case: UUID, origin: Origin, trust: TrustPolicy) -> History:
        """Return ``history`` with its checkpoint status under ``trust``, read in one snapshot.

        Raises ``UnknownLog`` if the trust file does not name the record's log.
        """
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            vouched = await newest_cosigned(connection, origin, trust)
            sealing = CheckpointStatus.of(vouched) if vouched is not None else None
            return await _history(connection, case, sealing)

    async def handoffs(self, asked: HandoffFilter = HandoffFilter()) -> tuple[Handoff, ...]:
        """Return the handoffs that match the filter, oldest first."""
        rows = await self._pool.fetch(_SQL["handoffs"], asked.case, asked.service, asked.urgency, asked.open_only)
        return tuple(_handoff(row) for row in rows)

    async def next_offset(self) -> int:
        """Return the offset up to which the record is on the timeline."""
        found: int = await self._pool.fetchval(_SQL["next_offset"])
        return found


async def _history(
    source: "asyncpg.Pool | PoolConnectionProxy[asyncpg.Record]", case: UUID, sealing: CheckpointStatus | None = None
) -> History:
    rows = await source.fetch(_SQL["history"], str(case).encode(), FRAMING, PASSING)
    return history(case, (decode_entry(**row) for row in rows), sealing)


def handoff_row(handoff: Handoff) -> tuple[Any, ...]:
    """Return the columns of a handoff in table order."""
    ending = handoff.ending
    return (
        handoff.case,
        handoff.referral,
        handoff.source,
        handoff.target,
        handoff.service.value,
        handoff.urgency.value,
        handoff.state.value,
        to_ms(handoff.requested_at),
        _ms(handoff.delivered_at),
        _ms(handoff.opened_at),
        _ms(handoff.answered_at),
        _ms(handoff.started_at),
        _ms(handoff.closed_at),
        _ms(handoff.paused_at),
        handoff.paused_ms,
        _ms(handoff.due_at),
        handoff.root,
        handoff.hop,
        handoff.paused_before_start_ms,
        None if ending is None else ending.state.value,
        None if ending is None else ending.code,
    )


def _handoff(row: Any) -> Handoff:
    return Handoff(
        referral=row["referral"],
        case=row["case_id"],
        source=row["source"],
        target=row["target"],
        service=CaseService(row["service"]),
        urgency=Urgency(row["urgency"]),
        state=State(row["state"]),
        requested_at=from_ms(row["requested_ms"]),
        delivered_at=_time(row["delivered_ms"]),
        opened_at=_time(row["opened_ms"]),
        answered_at=_time(row["answered_ms"]),
        started_at=_time(row["started_ms"]),
        closed_at=_time(row["closed_ms"]),
        paused_at=_time(row["pause_ms"]),
        paused_ms=row["paused_ms"],
        due_at=_time(row["due_ms"]),
        root=row["chain_root"],
        hop=row["hop"],
        paused_before_start_ms=row["paused_before_start_ms"],
        ending=None if row["ended_as"] is None else Ending(State(row["ended_as"]), row["ended_code"]),
    )


def _ms(time: datetime | None) -> int | None:
    return None if time is None else to_ms(time)


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
