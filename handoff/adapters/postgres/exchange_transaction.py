"""Reads and writes of one routing transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.domain import state_codec
from handoff.domain.case import Case
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation, Overdue
from handoff.domain.timers import Timer, timers
from handoff.record import codec
from handoff.record.delivery import from_ms, to_ms
from handoff.record.envelope import Event, Identity
from handoff.record.events.deadline import DeadlineMissed
from handoff.record.header_codec import pack_headers, unpack_headers
from handoff.record.message import Message

_SQL = statements("exchange_store.sql")
_ROUTED_COLUMNS = ("member", "sequence", "key", "value", "headers", "chain")
# COPY has one more round trip than a statement, and then takes less for each row.
_COPY_ROWS = 20


@dataclass(frozen=True, slots=True)
class ReadyTimer:
    """A timer that is due; ``attempt`` numbers the next event at it."""

    case: UUID
    holder: UUID
    name: str
    since: datetime
    attempt: int


class RoutingTransaction:
    """An open transaction. If a method raises, it is rolled back and must not be used again."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def cases(self, ids: Iterable[UUID]) -> dict[UUID, Case]:
        """Return the folded cases that exist among ``ids``."""
        rows = await self._connection.fetch(_SQL["cases"], list(ids))
        return {row["case_id"]: state_codec.load_case(row["state"]) for row in rows}

    async def escalations(self, references: Iterable[UUID]) -> tuple[dict[UUID, Escalation], dict[UUID, Overdue]]:
        """Return the open escalations among ``references``, and the late steps behind them."""
        rows = await self._connection.fetch(_SQL["escalations"], list(references))
        escalations = {row["reference"]: row["escalation"] for row in rows if row["escalation"] is not None}
        overdue = {row["reference"]: row["overdue"] for row in rows if row["overdue"] is not None}
        return (
            {reference: state_codec.load_escalation(state) for reference, state in escalations.items()},
            {reference: state_codec.load_overdue(state) for reference, state in overdue.items()},
        )

    async def store_escalations(
        self, escalations: Mapping[UUID, Escalation | None], overdue: Mapping[UUID, Overdue | None]
    ) -> None:
        """Store escalations and late steps; delete those that are None."""
        if escalations or overdue:
            await self._connection.execute(
                _SQL["write_escalations"],
                *state_codec.rows_of(escalations, state_codec.dump_escalation),
                *state_codec.rows_of(overdue, state_codec.dump_overdue),
            )

    async def first_hashes(self, wanted: Sequence[Identity]) -> dict[Identity, str]:
        """Return identity → value hash of its first occurrence, for the identities seen before."""
        rows = await self._connection.fetch(_SQL["first_hashes"], *_identity_columns(wanted))
        return {Identity(row["subject"], row["source"], row["event_id"]): row["value_hash"] for row in rows}

    async def announcements(self) -> tuple[tuple[int, datetime, Message], ...]:
        """Return the broadcast entries in the record's order: (offset, record time, message)."""
        rows = await self._connection.fetch(_SQL["announcements"])
        return tuple((row["record_offset"], from_ms(row["record_time"]), message_in(row)) for row in rows)

    async def store_directory(self, version: int, directory: Directory) -> None:
        await self._connection.execute(_SQL["write_directory"], version, state_codec.dump_directory(directory))

    async def store_cases(self, cases: Mapping[UUID, Case], grace: timedelta) -> None:
        """Store folded cases and their timers; ``grace`` is added to each due time."""
        if not cases:
            return
        states = [state_codec.dump_case(case) for case in cases.values()]
        awaited = [
            (case.id, timer.holder, timer.name, timer.since, timer.due_at)
            for case in cases.values()
            for timer in timers(case)
        ]
        columns = [list(column) for column in zip(*awaited, strict=True)] or [[] for _ in range(5)]
        await self._connection.execute(_SQL["write_cases"], list(cases), states, *columns, grace.total_seconds())

    async def queue_deliveries(
        self,
        deliveries: Sequence[tuple[str, tuple[int, Message, bytes]]],
        heads: Mapping[str, tuple[int, bytes]],
        first: Mapping[Identity, str],
    ) -> None:
        """Queue inbox entries, and store the heads of the inboxes and the first occurrences.

        ``deliveries`` has the member, and the sequence, message and chain hash of its entry.
        ``heads`` has the sequence and the chain hash of each inbox's last entry.
        """
        ends = [sequence for sequence, _ in heads.values()], [chain for _, chain in heads.values()]
        columns = (*_identity_columns(first), list(first.values()), list(heads), *ends)
        await self._connection.execute(_SQL["store_heads"], *columns)
        rows = [(member, sequence, *_columns(entry), chain) for member, (sequence, entry, chain) in deliveries]
        if len(rows) >= _COPY_ROWS:
            await self._connection.copy_records_to_table("routed", records=rows, columns=_ROUTED_COLUMNS)
        elif rows:
            await self._connection.executemany(_SQL["queue_delivery"], rows)

    async def store_announcements(self, announcements: Sequence[tuple[int, datetime, Message]]) -> None:
        rows = [(offset, to_ms(at), *_columns(message)) for offset, at, message in announcements]
        if rows:
            await self._connection.executemany(_SQL["store_announcement"], rows)

    async def queue_own_events(self, events: Sequence[Event[Any]]) -> None:
        """Queue the exchange's own events until they are confirmed."""
        if events:
            ids, subjects = [event.id for event in events], [event.subject for event in events]
            await self._connection.execute(
                _SQL["queue_own_events"], ids, subjects, [codec.encode(event) for event in events]
            )

    async def confirm_own_events(self, events: Sequence[UUID]) -> None:
        """Delete own events that were read back from the record."""
        if events:
            await self._connection.execute(_SQL["confirm_own_events"], list(events))

    async def close_timer(self, event: Event[Any]) -> None:
        """Close the timer of a step whose ``deadline.missed`` is on the record."""
        await self._connection.execute(_SQL["close_timer"], *_timer_of(event))

    async def rearm_timer(self, case: UUID, timer: Timer, wait: timedelta) -> None:
        """Re-arm a timer whose event came too early, after ``wait``."""
        columns = case, timer.holder, timer.name, timer.since
        await self._connection.execute(_SQL["rearm_timer"], *columns, wait.total_seconds())

    async def ready_timers(self, now: datetime, limit: int) -> tuple[ReadyTimer, ...]:
        rows = await self._connection.fetch(_SQL["ready_timers"], now, limit)
        return tuple(
            ReadyTimer(row["case_id"], row["holder"], row["name"], row["since"], row["attempt"]) for row in rows
        )

    async def mark_timer_queued(self, timer: ReadyTimer) -> None:
        await self._connection.execute(_SQL["mark_timer_queued"], timer.case, timer.holder, timer.name, timer.since)


def _identity_columns(identities: Iterable[Identity]) -> list[Sequence[object]]:
    return list(zip(*identities, strict=True)) or [(), (), ()]


def _columns(message: Message) -> tuple[Any, ...]:
    return message.key, message.value, pack_headers(message.headers)


def message_in(row: asyncpg.Record) -> Message:
    """Return the message of a row."""
    return Message(row["key"], row["value"], unpack_headers(row["headers"]))


def _timer_of(event: Event[Any]) -> tuple[UUID | None, UUID | None, str, datetime]:
    missed: DeadlineMissed = event.data
    return event.case_id, missed.referral or missed.basis, missed.step.value, missed.since
