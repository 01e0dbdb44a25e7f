"""Verdicts of the timeline, as its rows have them, for comparison with the monitor's."""

from dataclasses import replace

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.judging.verdict_statement import RunningVerdicts
from handoff.record.delivery import Verdict, VerdictKind

_SQL = statements("verdict_rows.sql")
_PREFETCH = 2000


async def stored_verdicts(pool: asyncpg.Pool, size: int, known: RunningVerdicts) -> RunningVerdicts | None:
    """Return the verdicts stored for the first ``size`` entries; None as long as the timeline has fewer.

    Continues from ``known``, an earlier result, without reading its entries again. The digest of a timeline that lacks
    an entry differs.
    """
    found = replace(known)
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        async for row in connection.cursor(_SQL["verdicts"], known.size, size, prefetch=_PREFETCH):
            found.add(row["record_offset"], row["rules"], Verdict(VerdictKind(row["verdict"]), row["reason"]))
        next_offset: int = await connection.fetchval(_SQL["next_offset"])
    if next_offset < size:
        return None
    found.size = size
    return found
