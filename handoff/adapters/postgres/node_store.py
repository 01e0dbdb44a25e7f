"""A node's database, with asyncpg."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.directory_cache import DirectoryCache
from handoff.adapters.postgres.node_transaction import SQL, PostgresTransaction, inbox_row, record_clock
from handoff.adapters.postgres.pool import TRANSIENT, fetch, use
from handoff.domain import lifecycle
from handoff.domain.case import Case, ReferralKey
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation
from handoff.domain.state_codec import load_case, load_escalation
from handoff.leadership import LeadershipLost
from handoff.node.commands.results import Backlog, FeedEntry, OpenReferrals, ReferralRow, StoreUnavailable
from handoff.node.ports import Transaction
from handoff.node.rows import DueEvent, DueEvents, InboxPosition, InboxRow
from handoff.record import strict_json
from handoff.record.codes import CaseService, State, Urgency
from handoff.record.delivery import REDACTED, Verdict, VerdictKind
from handoff.record.errors import NotAnEvent
from handoff.record.redaction import Redaction


class PostgresStore:
    """``Store`` on a pool of connections to PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._directories = DirectoryCache()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        with store_errors():
            async with use(self._pool) as connection, connection.transaction():
                yield PostgresTransaction(connection, self._directories)

    async def directory(self) -> Directory | None:
        kept = self._directories.kept
        rows = await self._fetch("directory", kept.digest)
        digest, state = rows[0] if rows else (None, None)
        return self._directories.read(digest, state, kept)

    async def escalations(self) -> tuple[Escalation, ...]:
        return tuple(load_escalation(row["state"]) for row in await self._fetch("escalations"))

    async def outcomes(self, events: Sequence[UUID]) -> Mapping[UUID, Verdict]:
        rows = await self._fetch("outcomes", list(events))
        return {row["id"]: Verdict(VerdictKind(row["outcome"]), row["reason"]) for row in rows}

    async def referrals(
        self, *, after: ReferralKey | None, limit: int, states: Sequence[State], source: str | None, target: str | None
    ) -> tuple[ReferralRow, ...]:
        rows = await self._fetch(
            "referrals", *(after or (None, None)), limit, [state.value for state in states], source, target
        )
        return tuple(_referral_row(row) for row in rows)

    async def feed(self, after: int, limit: int) -> tuple[FeedEntry, ...]:
        return tuple(_feed_entry(row) for row in await self._fetch("feed", after, limit))

    async def feed_end(self) -> int:
        (row,) = await self._fetch("feed_end")
        end: int = row["sequence"]
        return end

    async def awaited_cases(self) -> tuple[Case, ...]:
        return tuple(load_case(row["state"]) for row in await self._fetch("awaited_cases"))

    async def open_referrals(self) -> OpenReferrals:
        (row,) = await self._fetch("open_referrals", [state.value for state in lifecycle.OPEN])
        cases = map(load_case, row["cases"])
        return OpenReferrals(
            row["sequence"],
            tuple((case.id, r) for case in cases for r in case.referrals.values() if r.state in lifecycle.OPEN),
            frozenset(ReferralKey(*found) for found in row["parked"]),
        )

    async def backlog(self, at: datetime) -> Backlog:
        (row,) = await self._fetch("backlog", at)
        return Backlog(**row)

    async def start_intake_epoch(self) -> tuple[int, InboxPosition]:
        (row,) = await self._fetch("start_intake_epoch")
        return row["epoch"], InboxPosition(row["next_offset"], row["sequence"], row["chain"])

    async def last_inbox_entry(self) -> InboxRow | None:
        rows = await self._fetch("last_inbox_entry")
        return inbox_row(rows[0]) if rows else None

    async def skip_unsigned(self, offset: int) -> bool:
        """Move the inbox position past an entry without the exchange's signature. Return False if it is not there."""
        return bool(await self._fetch("skip_unsigned", offset))

    async def start_relay_epoch(self) -> int:
        (row,) = await self._fetch("start_relay_epoch")
        epoch: int = row["epoch"]
        return epoch

    async def pause(self, *, paused: bool) -> None:
        await self._fetch("pause", paused)

    async def due(self, epoch: int, at: datetime, limit: int) -> DueEvents:
        kept = self._directories.kept
        rows = await self._fetch("due", epoch, at, limit, kept.digest)
        if not rows:
            raise LeadershipLost("another process relays this outbox now")
        is_paused, digest, directory, offset_ms, record_time, events = rows[0]
        return DueEvents(
            tuple(DueEvent(*event) for event in events),
            self._directories.read(digest, directory, kept),
            record_clock(offset_ms, record_time),
            is_paused,
        )

    async def resend_key_refused(self, at: datetime) -> None:
        await self._fetch("resend_key_refused", at)

    async def mark_sent(self, epoch: int, events: Sequence[UUID], at: datetime, first_delay: float) -> None:
        if not await self._fetch("mark_sent", epoch, list(events), at, first_delay):
            raise LeadershipLost("another process relays this outbox now")

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        with store_errors():
            return await fetch(self._pool, SQL[name], *arguments)


@contextmanager
def store_errors() -> Iterator[None]:
    """Map errors of an unavailable database to ``StoreUnavailable``."""
    try:
        yield
    except ValueError:
        # asyncpg raises an InterfaceError also for an argument that no column can hold.
        raise
    except TRANSIENT as error:
        raise StoreUnavailable(type(error).__name__) from error


def _referral_row(row: asyncpg.Record) -> ReferralRow:
    return ReferralRow(
        id=row["id"],
        case=row["case_id"],
        source=row["source"],
        target=row["target"],
        service=CaseService(row["service"]),
        urgency=Urgency(row["urgency"]),
        state=State(row["state"]),
        code=row["code"],
        requested_at=row["requested_at"],
        since=row["since"],
        due_at=row["due_at"],
        delivered_at=row["delivered_at"],
        opened_at=row["opened_at"],
        seen=row["seen"],
        parked=row["is_parked"],
        referral=load_case(row["case_state"]).referrals[row["id"]],
    )


def _feed_entry(row: asyncpg.Record) -> FeedEntry:
    judged = Verdict(VerdictKind(row["outcome"]), row["reason"])
    verdict = REDACTED if Redaction.found(row["value"]) is not None else judged
    event = _document(row["value"])
    return FeedEntry(
        row["sequence"], row["record_time"], verdict.kind, verdict.reason, row["own"], event, row["settles"]
    )


def _document(value: bytes | None) -> Mapping[str, Any] | None:
    try:
        return strict_json.parse(value or b"")
    except NotAnEvent:
        return None
