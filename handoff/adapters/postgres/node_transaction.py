"""One transaction on a node's database, with asyncpg."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from handoff.adapters.postgres.directory_cache import DirectoryCache
from handoff.adapters.postgres.named_statements import statements
from handoff.domain.case import Case, Referral, ReferralKey
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation
from handoff.domain.state_codec import (
    dump_case,
    dump_directory,
    dump_escalation,
    load_case,
    load_escalation,
    rows_of,
)
from handoff.leadership import LeadershipLost
from handoff.node.ports import KeyTaken
from handoff.node.record_clock import AGREEING, RecordClock
from handoff.node.rows import (
    STUB_PREFIX,
    Echo,
    InboxPosition,
    InboxRow,
    KnownState,
    OutboxRow,
    ParkedReferral,
    PendingEvent,
    QuarantinedEntry,
    RefusedSubmission,
    StoredAnswer,
)
from handoff.record.codes import RefusalCode, Urgency
from handoff.record.delivery import Delivery, DeliveryFault, Verdict, VerdictKind
from handoff.record.header_codec import pack_headers, unpack_headers
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message

SQL = statements("node_store.sql")
_INBOX_BATCH = 500
_DANGER = {urgency.value: rank for rank, urgency in enumerate(Urgency)}


class PostgresTransaction:
    """``Transaction`` on a connection that has one open."""

    def __init__(
        self,
        connection: "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]",
        directories: DirectoryCache,
    ) -> None:
        self._connection = connection
        self._directories = directories

    async def store_answers(self, answers: Sequence[StoredAnswer]) -> None:
        if answers and len(await self._insert("store_answers", map(astuple, answers))) < len(answers):
            raise KeyTaken("another process has just answered under the same key")

    async def known(self, subjects: Iterable[str]) -> KnownState:
        return await self._known(subjects, (), (), is_locking=False)

    async def lock(
        self, subjects: Iterable[str], key_hashes: Iterable[str] = (), escalations: Iterable[UUID] = ()
    ) -> KnownState:
        return await self._known(subjects, key_hashes, escalations, is_locking=True)

    async def _known(
        self, subjects: Iterable[str], key_hashes: Iterable[str], escalations: Iterable[UUID], *, is_locking: bool
    ) -> KnownState:
        named, kept = list(subjects), self._directories.kept
        asked = named, list(_cases_among(named)), list(key_hashes), list(escalations), kept.digest, is_locking
        row = await self._connection.fetchrow(SQL["known"], *asked)
        if row is None:
            raise LookupError("the statement always gives one row")
        return KnownState(
            directory=self._directories.read(row["directory_digest"], row["directory"], kept),
            cases={case.id: case for case in map(load_case, row["cases"])},
            parked={park.key: park for park in map(_parked_referral, _rows(row[6:10]))},
            pending=tuple(PendingEvent(*found) for found in _rows(row[10:14])),
            answers=tuple(StoredAnswer(*found) for found in _rows(row[14:18])),
            clock=record_clock(row["clock_offset_ms"], row["clock_record_time"]),
            escalations={found.reference: found for found in map(load_escalation, row["escalations"])},
        )

    async def save_clock(self, clock: RecordClock) -> None:
        await self._connection.execute(SQL["save_clock"], clock.offset // timedelta(milliseconds=1), clock.record_time)

    async def enqueue(self, rows: Iterable[OutboxRow]) -> int:
        columns = [_outbox_columns(row) for row in rows]
        return len(await self._insert("enqueue", columns)) if columns else 0

    async def _insert(self, name: str, rows: Iterable[tuple[object, ...]]) -> list[asyncpg.Record]:
        return await self._connection.fetch(SQL[name], *zip(*rows, strict=True))

    async def _for_each(self, name: str, rows: Sequence[tuple[object, ...]]) -> None:
        # asyncpg would send an empty statement and wait for the answer.
        if rows:
            await self._connection.executemany(SQL[name], rows)

    async def position(self, epoch: int | None) -> InboxPosition:
        row = await self._connection.fetchrow(SQL["position"], epoch)
        if row is None:
            raise LeadershipLost("another process folds this inbox now")
        return InboxPosition(**row)

    async def store_inbox(self, rows: Sequence[InboxRow], position: InboxPosition) -> None:
        columns = _columns(map(_inbox_columns, rows), 12)
        await self._connection.execute(
            SQL["store_inbox"], position.next_offset, position.sequence, position.chain, *columns
        )

    async def inbox_rows(self, sequences: Iterable[int]) -> dict[int, InboxRow]:
        wanted = list(sequences)
        found = await self._connection.fetch(SQL["inbox_rows"], wanted) if wanted else ()
        return {row["sequence"]: inbox_row(row) for row in found}

    async def store_broken(self, record: KafkaRecord, fault: DeliveryFault, at: datetime) -> None:
        message = record.message
        raw = (message.key, message.value, pack_headers(message.headers))
        await self._connection.execute(SQL["store_broken"], record.offset, fault.value, *raw, at)

    async def settle(self, echoes: Sequence[Echo]) -> None:
        await self._for_each("settle", [_echo_columns(echo) for echo in echoes])

    async def refuse(self, refusals: Sequence[RefusedSubmission]) -> None:
        columns = [(r.value_hash, r.code, r.sequence, r.at) for r in refusals]
        await self._for_each("refuse", columns)

    async def mark_key_refused(self, value_hashes: Sequence[str]) -> None:
        if value_hashes:
            await self._connection.execute(SQL["mark_key_refused"], list(value_hashes), RefusalCode.KEY_NOT_IN_FORCE)

    async def unknown_events(self, events: Sequence[UUID]) -> Sequence[UUID]:
        return (
            [row["id"] for row in await self._connection.fetch(SQL["unknown_events"], list(events))] if events else ()
        )

    async def save_directory(self, directory: Directory, sequence: int) -> None:
        await self._connection.execute(SQL["save_directory"], dump_directory(directory), sequence)

    async def save_cases(self, cases: Mapping[UUID, tuple[Case, int]]) -> None:
        rows = [(key, dump_case(case), sequence) for key, (case, sequence) in cases.items()]
        lines = [_referral_columns(case, r) for case, _ in cases.values() for r in case.referrals.values()]
        if rows:
            await self._connection.execute(SQL["save_cases"], *_columns(rows, 3), *_columns(lines, 15))

    async def save_escalations(self, escalations: Mapping[UUID, tuple[Escalation | None, int]]) -> None:
        closed, opened, states = rows_of({key: found for key, (found, _) in escalations.items()}, dump_escalation)
        if closed or opened:
            sequences = [escalations[reference][1] for reference in opened]
            await self._connection.execute(SQL["save_escalations"], closed, opened, states, sequences)

    async def park(self, parks: Iterable[ParkedReferral]) -> None:
        await self._for_each("park", [(*p.key, p.sequence, p.why) for p in parks])

    async def quarantine(self, rows: Sequence[QuarantinedEntry]) -> None:
        columns = [(q.sequence, q.offset, q.code, q.value_hash) for q in rows]
        await self._for_each("quarantine", columns)

    async def release_stubs(self, orders: Sequence[tuple[str, str]]) -> None:
        await self._for_each("release_stub", orders)

    async def held_stubs(self) -> Sequence[QuarantinedEntry]:
        rows = await self._connection.fetch(SQL["held_stubs"], STUB_PREFIX)
        return [QuarantinedEntry(row["sequence"], row["kafka_offset"], row["code"], row["value_hash"]) for row in rows]

    async def pop_unreacted(self, limit: int) -> Sequence[UUID]:
        return [row["id"] for row in await self._connection.fetch(SQL["pop_unreacted"], limit)]

    async def mark_unreacted(self, cases: Iterable[UUID]) -> None:
        await self._connection.execute(SQL["mark_unreacted"], list(cases))

    async def mark_all_unreacted(self) -> int:
        found: int = await self._connection.fetchval(SQL["mark_all_unreacted"])
        return found

    async def delete_folded(self) -> None:
        await self._connection.execute(SQL["delete_folded"])

    async def inbox(self) -> AsyncIterator[Sequence[InboxRow]]:
        cursor = await self._connection.cursor(SQL["inbox"])
        while rows := await cursor.fetch(_INBOX_BATCH):
            yield [inbox_row(row) for row in rows]

    async def digests(self) -> Mapping[str, str]:
        return {row["name"]: row["digest"] for row in await self._connection.fetch(SQL["digests"])}

    async def unpublished(self) -> Sequence[UUID]:
        return [row["id"] for row in await self._connection.fetch(SQL["unpublished"])]

    async def stored(self, events: Iterable[UUID]) -> frozenset[UUID]:
        return frozenset(row["id"] for row in await self._connection.fetch(SQL["stored"], list(events)))


def _cases_among(subjects: Iterable[str]) -> Iterator[UUID]:
    """Yield the subjects that are cases; the others are jurisdictions."""
    for subject in subjects:
        with suppress(ValueError):
            yield UUID(subject)


def _rows(columns: Sequence[Sequence[Any] | None]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of aggregated columns, which are null if there is no row."""
    return zip(*(column or () for column in columns), strict=True)


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[Sequence[object]]:
    """Transpose rows to columns, the form in which a statement takes many rows; no rows give empty columns."""
    return list(zip(*rows, strict=True)) or [()] * width


def _parked_referral(row: tuple[UUID, UUID, int, str]) -> ParkedReferral:
    case, referral, sequence, why = row
    return ParkedReferral(ReferralKey(case, referral), sequence, why)


def _outbox_columns(row: OutboxRow) -> tuple[object, ...]:
    return row.id, row.subject, row.referral, row.type, row.value, row.value_hash, row.created_at


def _echo_columns(echo: Echo) -> tuple[object, ...]:
    row = (echo.row.id, echo.row.subject, echo.row.referral, echo.row.type, echo.row.value, echo.row.value_hash)
    return *row, echo.at, echo.verdict.kind.value, echo.verdict.reason, echo.sequence


def _inbox_columns(row: InboxRow) -> tuple[object, ...]:
    delivery, message = row.delivery, row.delivery.message
    verdict = delivery.verdict
    raw = (message.key, message.value, pack_headers(message.headers))
    judged = (delivery.record_time, verdict.kind.value, verdict.reason)
    return delivery.sequence, row.offset, *raw, *judged, row.own, row.chain, delivery.proof, row.rules


def inbox_row(row: asyncpg.Record) -> InboxRow:
    """Return a row of the table ``inbox``."""
    verdict = Verdict(VerdictKind(row["outcome"]), row["reason"])
    delivery = Delivery(row["sequence"], row["record_time"], verdict, stored_message(row), row["proof"])
    return InboxRow(row["kafka_offset"], delivery, row["own"], row["chain"], row["rules"])


def stored_message(row: asyncpg.Record) -> Message:
    """Return the message of an inbox row, exactly as recorded."""
    return Message(row["key"], row["value"], unpack_headers(row["headers"]))


def _referral_columns(case: Case, r: Referral) -> tuple[object, ...]:
    due_at = min((step.due_at for step in r.steps if step.is_pending and step.answers is None), default=None)
    parties = (case.id, r.id, r.source, r.target, r.service.value, r.urgency.value, _DANGER[r.urgency.value])
    state = (r.state.value, r.code, r.requested_at, r.since, due_at)
    return *parties, *state, r.delivered_at, r.opened_at, r.seen


def record_clock(offset_ms: int | None, record_time: datetime | None) -> RecordClock:
    """Return the stored measurement of the own clock; one without a difference if none is stored."""
    return RecordClock(timedelta(milliseconds=offset_ms), record_time) if offset_ms is not None else AGREEING
