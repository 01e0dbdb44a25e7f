"""Imports of past handovers in the coordinator's database.

Each step of an import is one transaction that also stores its position, so that an import continues after a crash and
counts no event twice.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from itertools import groupby

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.pool import learn_types
from handoff.config import PostgresSettings
from handoff.views.past_handovers import FoldedCase, Milestone, PastEvent, PastHandover

_SQL = statements("past_handover_store.sql")
_EVENT_COLUMNS = ("name", "case_key", "number", "milestone", "at", "group_name")
_HANDOVER_COLUMNS = tuple(field.name for field in fields(PastHandover))

Refusals = dict[str, list[int]]
"""Numbers of the refused events by reason."""


@dataclass(frozen=True, slots=True)
class StoredImport:
    """An import as stored. ``events`` were read; ``salt`` is None once it is done."""

    file_hash: bytes
    mapping_hash: bytes
    salt: bytes | None
    begun_at: datetime
    events: int
    is_read: bool
    is_done: bool


@dataclass(frozen=True, slots=True)
class RefusedEvents:
    """Number of events refused for one reason, and the numbers of the first of them."""

    reason: str
    count: int
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Result of an import: ``events`` is the sum of ``imported`` and of all ``refused``."""

    name: str
    events: int
    imported: int
    refused: tuple[RefusedEvents, ...]
    handovers: int


class PastHandoverStore:
    """Store of imports on one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def lock(self, name: str) -> bool:
        """Return whether this connection alone may work on the import ``name`` until it closes."""
        return bool(await self._connection.fetchval(_SQL["lock"], name))

    async def find(self, name: str) -> StoredImport | None:
        """Return the import ``name``."""
        row = await self._connection.fetchrow(_SQL["find"], name)
        return None if row is None else StoredImport(*row)

    async def begin(self, name: str, file_hash: bytes, mapping_hash: bytes, salt: bytes, now: datetime) -> None:
        """Store a new import and delete a former one of the same name, with its handovers."""
        async with self._connection.transaction():
            await self.forget(name)
            await self._connection.execute(_SQL["begin"], name, file_hash, mapping_hash, salt, now)

    async def forget(self, name: str) -> None:
        """Delete an import with its handovers."""
        await self._connection.execute(_SQL["forget"], name)

    async def save_events(
        self, name: str, read: int, events: Sequence[tuple[bytes, PastEvent]], refused: Refusals
    ) -> None:
        """Store events with the key of their case, and refused ones. ``read`` is the number of all events so far."""
        rows = [(name, key, event.number, event.milestone.value, event.at, event.group) for key, event in events]
        async with self._connection.transaction():
            await self._connection.copy_records_to_table("past_events", records=rows, columns=_EVENT_COLUMNS)
            newest = max((event.at for _, event in events), default=None)
            await self._connection.execute(_SQL["count_events"], name, read, newest)
            await self._count(name, refused)

    async def finish_reading(self, name: str) -> None:
        """Store that every event is read."""
        await self._connection.execute(_SQL["finish_reading"], name)

    async def next_cases(self, name: str, limit: int) -> list[tuple[bytes, list[PastEvent]]]:
        """Return the events of the next ``limit`` cases that are not folded, by the key of the case."""
        rows = await self._connection.fetch(_SQL["next_cases"], name, limit)
        return [
            (key, [PastEvent(row["number"], Milestone(row["milestone"]), row["at"], row["group_name"]) for row in case])
            for key, case in groupby(rows, key=lambda row: row["case_key"])
        ]

    async def save_cases(self, name: str, cases: Sequence[tuple[bytes, int, FoldedCase]]) -> None:
        """Store folded cases and delete their events. Each has its key and the number of its events."""
        refused: Refusals = {}
        for number, reason in (each for _, _, folded in cases for each in folded.without_effect):
            refused.setdefault(reason.value, []).append(number)
        imported = sum(events - len(folded.without_effect) for _, events, folded in cases)
        rows = [(name, *astuple(handover)) for _, _, folded in cases for handover in folded.handovers]
        async with self._connection.transaction():
            await self._connection.copy_records_to_table(
                "past_handovers", records=rows, columns=("name", *_HANDOVER_COLUMNS)
            )
            await self._connection.execute(_SQL["forget_cases"], name, [key for key, _, _ in cases])
            await self._connection.execute(_SQL["count_imported"], name, imported)
            await self._count(name, refused)

    async def finish(self, name: str) -> None:
        """Store that the import is done, and delete the salt of its case keys."""
        await self._connection.execute(_SQL["finish"], name)

    async def report(self, name: str) -> ImportReport:
        """Return the result of an import."""
        (row,) = await self._connection.fetch(_SQL["report"], name)
        refused = [
            RefusedEvents(each["reason"], each["count"], tuple(each["examples"]))
            for each in await self._connection.fetch(_SQL["refusals"], name)
        ]
        return ImportReport(name, row["events"], row["imported"], tuple(refused), row["handovers"])

    async def done(self) -> list[tuple[str, datetime | None]]:
        """Return the name of each import that is done, and the newest time of its events."""
        return [(row["name"], row["last_at"]) for row in await self._connection.fetch(_SQL["done"])]

    async def handovers(self, name: str) -> list[PastHandover]:
        """Return the handovers of one import."""
        return [PastHandover(**dict(row)) for row in await self._connection.fetch(_SQL["handovers"], name)]

    async def _count(self, name: str, refused: Refusals) -> None:
        for reason, numbers in sorted(refused.items()):
            await self._connection.execute(_SQL["count_refusals"], name, reason, len(numbers), sorted(numbers)[:5])


@asynccontextmanager
async def past_handover_store(settings: PostgresSettings) -> AsyncIterator[PastHandoverStore]:
    """Open a store on a connection of its own, which keeps the lock of an import."""
    connection = await asyncpg.connect(settings.dsn, server_settings={"jit": "off"})
    try:
        await learn_types(connection)
        yield PastHandoverStore(connection)
    finally:
        await connection.close()
