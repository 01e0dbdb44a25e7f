"""Rebuild of the timeline: recomputed from the record in a second schema, compared, and put in place.

Readers use the old tables until then. Equal tables are dropped afterwards. Tables that differ stay in the schema
``timeline_replaced``: either the program was corrected since, or the timeline was changed, and they are evidence.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
import structlog

from handoff.adapters.files.signing_keys import board_references
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.timeline_store import SCHEMA, Founding, TimelineStore, connect, open_timeline_store
from handoff.backoff import retry
from handoff.config import ProcessSettings
from handoff.operations.errors import OperationError
from handoff.projection.pipeline import Pipeline
from handoff.verification.verifier import SignatureVerifier, VerifierLost
from handoff.views.timeline_fold import TimelineBatch

TABLES = ("entries", "tree_nodes", "cases", "directory", "escalations", "handoffs", "board_references", "position")

_FRESH = "timeline_rebuilt"
_SQL = statements("timeline_rebuild.sql", __package__)
_log = structlog.get_logger()

Progress = Callable[[int, int], None]
"""Callback with the number of entries done and the number of all entries."""


class RebuildRefused(OperationError):
    """The tables that a rebuild replaces have to be examined first."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Number of rows, and SHA-256 (hex) of all rows in order, in PostgreSQL's binary format."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RebuiltTable:
    """Digests of a stored table and of the recomputed one, at the same offset."""

    name: str
    found: Digest
    rebuilt: Digest

    @property
    def is_identical(self) -> bool:
        """Return whether both tables are equal, byte for byte."""
        return self.found == self.rebuilt


@dataclass(frozen=True, slots=True)
class TimelineRebuildReport:
    """Result of a rebuild up to ``next_offset`` of the record."""

    next_offset: int
    tables: tuple[RebuiltTable, ...]

    @property
    def is_identical(self) -> bool:
        """Return whether all tables are equal."""
        return all(table.is_identical for table in self.tables)


async def rebuild(
    settings: ProcessSettings, progress: Progress, *, keep_replaced: bool = True
) -> TimelineRebuildReport:
    """Rebuild the timeline. The login in ``settings`` must be the database's owner.

    Without ``keep_replaced``, tables that differ are dropped too, if their leaves are those of the new ones.

    The projection may run: it waits only during the last part of the comparison. Raises RebuildRefused,
    BrokerUnavailable, RecordBroken and errors of the database. After an error, nothing has changed.
    """
    reader = RecordReader(settings.kafka, settings.jurisdiction, client_id=f"{settings.member}-rebuild")
    control = await connect(settings.postgres, schema=_FRESH, patience=None)
    try:
        if await control.fetchval(_SQL["has_replaced"]):
            raise RebuildRefused(
                "the schema timeline_replaced has the tables of an earlier rebuild: examine them, then drop it"
            )
        await control.execute(_SQL["create_tables"])
        async with open_timeline_store(
            settings.postgres, schema=_FRESH, references=board_references(settings)
        ) as fresh:
            replay = _Replay(settings, reader, fresh, progress)
            await replay.up_to(await control.fetchval(_SQL["live_offset"]))
            return await _put_in_place(control, replay, keep_replaced=keep_replaced)
    finally:
        await reader.close()
        control.terminate()


class _Replay:
    """Projection of the record, from its beginning, into new tables."""

    def __init__(
        self, settings: ProcessSettings, reader: RecordReader, fresh: TimelineStore, progress: Progress
    ) -> None:
        self._founding = Founding(settings.jurisdiction, settings.generation, settings.genesis_sha256)
        self._reader = reader
        self._fresh = fresh
        self._progress = progress

    async def up_to(self, offset: int) -> None:
        """Project the entries before ``offset``."""
        async with SignatureVerifier() as verifier:
            await retry(lambda: self._project(offset, verifier), _log_lost, transient=(VerifierLost,))

    async def _project(self, offset: int, verifier: SignatureVerifier) -> None:
        position = await self._fresh.position()
        fold = await self._fresh.load_fold(self._founding, position)

        def report(batch: TimelineBatch) -> None:
            self._progress(batch.next_offset, offset)

        await Pipeline(self._reader, self._fresh, fold, position).run(verifier, report, until=offset)


def _log_lost(error: Exception) -> None:
    _log.warning("rebuild.verifier_lost", error=str(error))


async def _put_in_place(control: asyncpg.Connection, replay: _Replay, *, keep_replaced: bool) -> TimelineRebuildReport:
    async with control.transaction():
        await control.execute(_SQL["lock"])
        offset: int = await control.fetchval(_SQL["live_offset"])
        await replay.up_to(offset)
        tables = tuple([await _compared(control, table) for table in TABLES])
        report = TimelineRebuildReport(offset, tables)
        await control.execute(_SQL["swap"])
        if not keep_replaced and (moved := await control.fetchval(_SQL["moved_leaves"])):
            raise RebuildRefused(
                f"{moved} leaves of the timeline differ from the record: run `handoff projection rebuild`, "
                "then examine the schema timeline_replaced"
            )
        if report.is_identical or not keep_replaced:
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
