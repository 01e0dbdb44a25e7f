"""Work of the database for a piece of reading code: its statements run again under EXPLAIN."""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """A statement with its rows, the buffers that its plan touched, and the rows that its scans of ``entries`` read."""

    statement: str
    rows: int
    buffers: int
    entries_read: int


class QueryLog:
    """The queries that run on the connections of a pool, to be explained afterwards."""

    def __init__(self) -> None:
        self._queries: list[tuple[str, tuple[Any, ...]]] = []

    async def attach(self, pool: asyncpg.Pool) -> None:
        """Log the queries of the pool's one connection."""
        async with pool.acquire() as connection:
            connection.add_query_logger(self._log)

    async def explained(self, pool: asyncpg.Pool) -> list[PlannedQuery]:
        """Run each query again under EXPLAIN (ANALYZE, BUFFERS)."""
        queries, self._queries = self._queries, []
        async with pool.acquire() as connection:
            return [await _explain(connection, query, arguments) for query, arguments in queries]

    def _log(self, record: Any) -> None:
        is_question = record.args or "FROM" in record.query
        if is_question and not record.query.startswith("EXPLAIN"):
            self._queries.append((record.query, tuple(record.args)))


async def _explain(connection: Any, query: str, arguments: tuple[Any, ...]) -> PlannedQuery:
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", *arguments)
    plan = json.loads(text)[0]["Plan"]
    return PlannedQuery(
        query, int(plan["Actual Rows"]), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], _entries_read(plan)
    )


def _entries_read(plan: dict[str, Any]) -> int:
    below = sum(map(_entries_read, plan.get("Plans", ())))
    reads_rows = plan["Node Type"] in {"Seq Scan", "Index Scan", "Bitmap Heap Scan"}
    rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return below + (int(rows * plan["Actual Loops"]) if reads_rows and plan["Relation Name"] == "entries" else 0)
