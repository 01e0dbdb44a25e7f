"""Cases as the audit reads them from the timeline: their history, their raw entries, and what proves them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.bundle_export import Asked, NothingProven, bundle
from handoff.adapters.postgres.node_store import store_errors
from handoff.adapters.postgres.timeline_reader import Timeline
from handoff.config import PostgresSettings
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.entry import case_tag
from handoff.proof.log.header_codec import Headers, unpack_headers
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.delivery import from_ms
from handoff.views.replay.history import History

_KNOWS = "SELECT EXISTS (SELECT FROM timeline.entries WHERE case_tag = $1)"
_RAW = """
SELECT record_offset, appended_ms, value, headers, record_hash, leaf, tag_sequence
  FROM timeline.entries WHERE case_tag = $1 AND record_ms <= $2 ORDER BY tag_sequence
"""


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An entry as it stands on the record, to the byte, with the hashes by which it is proven."""

    position: int
    appended_at: datetime
    value: bytes | None
    headers: Headers
    record_hash: str
    leaf: str
    sequence: int


@dataclass(frozen=True)
class Cases:
    """What the timeline's database tells its reader of a case. Every method may raise ``StoreUnavailable``."""

    pool: asyncpg.Pool
    # A bundle is read in a snapshot on a connection of its own.
    settings: PostgresSettings
    origin: Origin
    # Without a trust file nothing counts as sealed.
    trust: TrustPolicy | None

    async def knows(self, case: UUID) -> bool:
        """Whether anything about the case stands on the record."""
        with store_errors():
            found: bool = await self.pool.fetchval(_KNOWS, _tag(case))
            return found

    async def history(self, case: UUID) -> History:
        """Everything that a replay needs, with what the newest checkpoint proves of it."""
        with store_errors():
            timeline = Timeline(self.pool)
            if self.trust is None:
                return await timeline.history(case)
            return await timeline.proven_history(case, self.origin, self.trust)

    async def bundle(self, case: UUID) -> AsyncIterator[bytes]:
        """What proves the case offline. Before the first bytes it raises what ``evidence`` raises."""
        if self.trust is None:
            raise NothingProven("no trust file says who has to cosign")
        async for chunk in bundle(self.settings, Asked(case, self.origin, self.trust)):
            yield chunk

    async def raw(self, case: UUID, until_ms: int) -> tuple[RawEntry, ...]:
        """The case's entries up to that record time (in milliseconds), in the record's order."""
        with store_errors():
            return tuple(_raw(row) for row in await self.pool.fetch(_RAW, _tag(case), until_ms))


def _tag(case: UUID) -> bytes:
    return case_tag(str(case).encode())


def _raw(row: Any) -> RawEntry:
    return RawEntry(
        position=row["record_offset"],
        appended_at=from_ms(row["appended_ms"]),
        value=row["value"],
        headers=unpack_headers(row["headers"]),
        record_hash=row["record_hash"].hex(),
        leaf=row["leaf"].hex(),
        sequence=row["tag_sequence"],
    )
