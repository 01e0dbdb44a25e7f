"""Cases read from the timeline's database: history, raw entries, receipts and bundles."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.bundle_export import BundleRequest, NoCheckpointCoversCase, bundle
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.adapters.postgres.timeline_reader import Timeline, headers_of
from handoff.config import PostgresSettings
from handoff.judging.timeline_check import TimelineDifference
from handoff.judging.verdict_statement import ComparedVerdicts
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.entry import record_hash
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.delivery import from_ms
from handoff.record.envelope import Identity, Source
from handoff.record.header_codec import Headers
from handoff.views.replay.history import History

_SQL = statements("case_reader.sql")


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An entry of the record, byte for byte, with the hashes that prove it."""

    position: int
    appended_at: datetime
    value: bytes | None
    headers: Headers
    record_hash: str
    leaf: str
    sequence: int


@dataclass(frozen=True)
class CaseReader:
    """Reads the timeline's database as its `reader` role. Every method may raise ``StoreUnavailable``."""

    pool: asyncpg.Pool
    # A bundle is read in one snapshot, on a connection of its own.
    settings: PostgresSettings
    origin: Origin
    # Without a trust file nothing counts as anchored.
    trust: Callable[[], TrustPolicy] | None
    compared: Callable[[], ComparedVerdicts | None] = lambda: None
    """Return the newest comparison of the timeline's verdicts with the monitor's."""

    status: Callable[[], tuple[TimelineDifference, ...]] = lambda: ()
    """Return the differences that the last check of the strand about the status found."""

    @cached_property
    def _timeline(self) -> Timeline:
        return Timeline(self.pool, self.origin)

    async def exists(self, case: UUID) -> bool:
        """Return whether the record holds an entry about the case."""
        with store_errors():
            found: bool = await self.pool.fetchval(_SQL["case_exists"], _key(case))
            return found

    async def history(self, case: UUID) -> History:
        """Return the history of a case, with the newest checkpoint that covers it."""
        with store_errors():
            trust = self.trust() if self.trust is not None else None
            return await self._timeline.history(case, trust, self.compared(), self.status())

    async def status_differences(self) -> tuple[TimelineDifference, ...]:
        """Judge the whole strand about the jurisdiction's status again; return what the database has otherwise."""
        with store_errors():
            return await self._timeline.status_differences(self.trust() if self.trust is not None else None)

    async def bundle(self, case: UUID) -> AsyncIterator[bytes]:
        """Stream the bundle of a case. The errors of ``open_export`` are raised before the first chunk."""
        if self.trust is None:
            raise NoCheckpointCoversCase("no trust file is configured: set checkpoints.trust_file")
        async for chunk in bundle(self.settings, BundleRequest(case, self.origin, self.trust())):
            yield chunk

    async def raw_entries(self, positions: Sequence[int]) -> tuple[RawEntry, ...]:
        """Return the entries at ``positions``, in the record's order."""
        with store_errors():
            return tuple(_raw(row) for row in await self.pool.fetch(_SQL["raw_entries"], positions))

    async def receipts(self, member: str, events: Sequence[Identity]) -> Mapping[Identity, str]:
        """Return the log's receipts, as signed notes, of those of these events that ``member`` emitted or received."""
        here = [one for one in events if self._is_here(one)]
        subjects, ids = [one.subject for one in here], [one.event_id for one in here]
        emitters = [Source.parse(one.source).member for one in here]
        with store_errors():
            rows = await self.pool.fetch(_SQL["receipts_for"], member, subjects, emitters, ids)
            return {here[row["place"] - 1]: row["note"] for row in rows}

    def _is_here(self, event: Identity) -> bool:
        source = Source.parse(event.source)
        return (source.jurisdiction, source.generation) == (self.origin.jurisdiction, self.origin.generation)


def _key(case: UUID) -> bytes:
    return str(case).encode()


def _raw(row: Any) -> RawEntry:
    headers = headers_of(row["headers"])
    return RawEntry(
        position=row["record_offset"],
        appended_at=from_ms(row["appended_ms"]),
        value=row["value"],
        headers=headers,
        # Computed: the stored hash could be that of other bytes.
        record_hash=record_hash(row["key"], row["value"], headers).hex(),
        leaf=row["leaf"].hex(),
        sequence=row["tag_sequence"],
    )
