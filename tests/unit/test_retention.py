"""Clean-up of rows that outlived their retention period."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from handoff.node.commands.results import StoreUnavailable
from handoff.retention import Retention, RetentionRule
from tests.support.dsl.builders import T0


class Table:
    """Rows by the time of their expiry."""

    def __init__(self, rows: Sequence[datetime]) -> None:
        self.rows = sorted(rows)
        self.batches: list[int] = []

    async def delete(self, before: datetime, limit: int) -> int:
        expired = [row for row in self.rows if row < before][:limit]
        self.rows = self.rows[len(expired) :]
        self.batches.append(len(expired))
        return len(expired)


class Unavailable(Table):
    async def delete(self, before: datetime, limit: int) -> int:  # noqa: ARG002 - the port's signature
        raise StoreUnavailable("away")


def _retention(*tables: Table, at: datetime = T0, batch_rows: int = 10) -> Retention:
    rules = [RetentionRule("rows", timedelta(days=30), table.delete) for table in tables]
    return Retention(rules, (StoreUnavailable,), lambda: at, batch_rows=batch_rows)


async def test_rows_are_deleted_once_their_period_has_passed() -> None:
    limit = T0 - timedelta(days=30)
    table = Table([limit - timedelta(milliseconds=1), limit, T0])
    await _retention(table).apply()
    assert table.rows == [limit, T0]


async def test_a_backlog_is_deleted_in_bounded_batches() -> None:
    table = Table([T0 - timedelta(days=400)] * 25)
    await _retention(table).apply()
    assert table.rows == []
    assert table.batches == [10, 10, 5]


async def test_a_table_that_cannot_be_cleaned_does_not_stop_the_others() -> None:
    table = Table([T0 - timedelta(days=31)])
    await _retention(Unavailable([]), table).apply()
    assert table.rows == []


async def test_clean_ups_repeat_at_the_interval() -> None:
    now, pauses, table = T0, [], Table([T0])

    async def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += timedelta(seconds=seconds)
        if len(pauses) == 31 * 24:
            raise asyncio.CancelledError

    rule = RetentionRule("rows", timedelta(days=30), table.delete)
    with pytest.raises(asyncio.CancelledError):
        await Retention([rule], (), lambda: now, sleep).run()
    assert table.rows == []
    assert len(table.batches) == 31 * 24
    assert set(pauses) == {3_600.0}


async def test_a_fault_of_the_program_is_raised() -> None:
    """Only failures of the database are left to the next interval."""
    table = Table([])
    table.rows = [None]  # type: ignore[list-item]
    with pytest.raises(TypeError):
        await _retention(table).apply()
