"""The timeline made again from the record beside the one that is read meanwhile, compared, and put in its place.

What was identical is dropped. What differed is kept as ``timeline_replaced``: either the rules were mended since, or
somebody changed the timeline, and then it is evidence.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.timeline_store import SCHEMA, Founding, Ledger, connect, ledger
from handoff.config import ProcessSettings
from handoff.projection.pipeline import Checker, Projecting
from handoff.views.timeline_fold import Page

TABLES = ("entries", "tree_nodes", "cases", "directory", "handoffs", "position")

_FRESH = "timeline_rebuilt"
_SQL = statements("timeline_rebuild.sql", __package__)

Progress = Callable[[int, int], None]
"""Hears how many entries are done, and of how many."""


class RebuildRefused(Exception):
    """An earlier rebuild found a difference and kept what it replaced: look at it and drop it first."""


@dataclass(frozen=True, slots=True)
class Digest:
    """How many rows a table has, and the SHA-256 (hex) of them all, in order, in PostgreSQL's binary form."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RebuiltTable:
    """A table as it was found and as the record gives it, at the same offset."""

    name: str
    found: Digest
    rebuilt: Digest

    @property
    def is_identical(self) -> bool:
        """Whether the record gives the same, byte for byte."""
        return self.found == self.rebuilt


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild came to, up to the record's ``next_offset``."""

    next_offset: int
    tables: tuple[RebuiltTable, ...]

    @property
    def is_identical(self) -> bool:
        """Whether every table is what the record gives."""
        return all(table.is_identical for table in self.tables)


async def rebuild(settings: ProcessSettings, progress: Progress) -> RebuildReport:
    """Makes the timeline again; ``settings`` log in to the database as its owner.

    The projection may go on: it waits only while the last entries are compared. Raises RebuildRefused,
    BrokerUnavailable, RecordBroken and the database's own errors; then everything is as before.
    """
    reader = RecordReader(settings.kafka, settings.jurisdiction, client_id=f"{settings.member}-rebuild")
    control = await connect(settings.postgres, schema=_FRESH, patience=None)
    try:
        if await control.fetchval(_SQL["kept"]):
            raise RebuildRefused("the schema timeline_replaced holds what an earlier rebuild replaced")
        await control.execute(_SQL["lay_out"])
        async with ledger(settings.postgres, schema=_FRESH) as fresh:
            replay = _Replay(settings, reader, fresh, progress)
            await replay.up_to(await control.fetchval(_SQL["live_offset"]))
            return await _put_in_place(control, replay)
    finally:
        await reader.close()
        control.terminate()


class _Replay:
    """The record read again from its beginning into fresh tables."""

    def __init__(self, settings: ProcessSettings, reader: RecordReader, fresh: Ledger, progress: Progress) -> None:
        self._founding = Founding(settings.jurisdiction, settings.generation, settings.genesis_sha256)
        self._reader = reader
        self._fresh = fresh
        self._progress = progress

    async def up_to(self, offset: int) -> None:
        """Goes on to ``offset``."""
        position = await self._fresh.position()
        chronicle = await self._fresh.chronicle(self._founding, position)

        def told(page: Page) -> None:
            self._progress(page.next_offset, offset)

        with Checker() as checker:
            await Projecting(self._reader, self._fresh, chronicle, position).run(checker, told, until=offset)


async def _put_in_place(control: asyncpg.Connection, replay: _Replay) -> RebuildReport:
    async with control.transaction():
        await control.execute(_SQL["hold_still"])
        offset: int = await control.fetchval(_SQL["live_offset"])
        await replay.up_to(offset)
        tables = tuple([await _compared(control, table) for table in TABLES])
        report = RebuildReport(offset, tables)
        await control.execute(_SQL["swap"])
        if report.is_identical:
            await control.execute(_SQL["drop_replaced"])
    return report


async def _compared(control: asyncpg.Connection, table: str) -> RebuiltTable:
    return RebuiltTable(table, await _digest(control, table, SCHEMA), await _digest(control, table, _FRESH))


async def _digest(control: asyncpg.Connection, table: str, schema: str) -> Digest:
    await control.execute("SELECT set_config('search_path', $1, true)", schema)
    digest = hashlib.sha256()

    async def feed(part: bytes) -> None:
        digest.update(part)

    status = await control.copy_from_query(_SQL[table], output=feed, format="binary")
    return Digest(int(status.split()[-1]), digest.hexdigest())
