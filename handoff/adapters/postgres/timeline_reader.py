"""Read access to the timeline: entries of a case and handoffs. A reader's role suffices."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec.structs import replace

from handoff.adapters.postgres.append_times import AppendTimes
from handoff.adapters.postgres.checkpoints import newest_cosigned
from handoff.adapters.postgres.inclusion import Inclusion
from handoff.adapters.postgres.judged_cases import JudgedCases
from handoff.adapters.postgres.named_statements import statements
from handoff.domain import state_codec
from handoff.domain.case import Ending
from handoff.domain.directory import Directory
from handoff.judging.timeline_check import (
    DerivedColumns,
    StrandCheck,
    TimelineDifference,
    TimelineRecord,
    all_differences,
)
from handoff.judging.verdict_statement import ComparedVerdicts
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.codes import CaseService, State, Urgency
from handoff.record.delivery import Verdict, VerdictKind, from_ms, to_ms
from handoff.record.events.base import Keying
from handoff.record.header_codec import Headers, NotHeaders, unpack_headers
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.redaction import original_hash
from handoff.views.handoffs import Handoff
from handoff.views.latency import (
    MEASURES,
    Figures,
    Grouping,
    WaitFigures,
    figures_of,
    lasting_waits,
    settled_waits,
)
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.history import History
from handoff.views.survival import longer_share
from handoff.views.timeline import TimelineEntry, timeline_entry

_SQL = statements("timeline_reader.sql")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class HandoffFilter:
    """Filter for handoffs. Fields set to None do not filter."""

    case: UUID | None = None
    service: CaseService | None = None
    urgency: Urgency | None = None
    open_only: bool = False


class Timeline:
    """Reader of the projection's tables.

    Verdicts and record times of a case are computed again from the raw records; the stored ones are only compared. Each
    entry is looked for in the tree under the newest checkpoint, and the stored handoffs of the case are compared.
    A process has one reader, which keeps what it judged.
    """

    def __init__(self, pool: asyncpg.Pool, origin: Origin) -> None:
        self._pool = pool
        self._origin = origin
        self._clock = AppendTimes()
        self._inclusion = Inclusion()
        self._judged = JudgedCases()
        self._judging = asyncio.Lock()

    async def entries(self, case: UUID) -> tuple[TimelineEntry, ...]:
        """Return the timeline of ``case`` in the record's order; empty for an unknown case."""
        history = await self.history(case)
        return tuple(timeline_entry(entry.decoded) for entry in history.own)

    async def history(
        self,
        case: UUID,
        trust: TrustPolicy | None = None,
        verdicts: ComparedVerdicts | None = None,
        status: tuple[TimelineDifference, ...] = (),
    ) -> History:
        """Return the history of ``case`` for a replay; without entries for an unknown case.

        With ``trust`` it has its checkpoint status, and the founding event is the one that ``trust`` names.
        ``verdicts`` is the newest comparison with the monitor's, ``status`` the differences of the strand about the
        jurisdiction. Everything is read in one snapshot. Raises ``UnknownLog`` if the trust file does not name the
        record's log.
        """
        async with (
            self._clock.lock,
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            vouched = await newest_cosigned(connection, self._origin, trust) if trust is not None else None
            rows, missing = await self._strands(connection, case)
            stored = await connection.fetch(_SQL["handoffs"], *_columns(HandoffFilter(case=case)))
            outside = frozenset[int]()
            if vouched is not None:
                leaves = ((row["record_offset"], row["leaf"]) for row in rows)
                outside = await self._inclusion.outside(connection, leaves, vouched.opened.head)
        empty = Directory(self._origin.jurisdiction, self._origin.generation)
        handoffs = [handoff_of(row) for row in stored]
        checkpoint = CheckpointStatus.of(vouched, verdicts) if vouched is not None else None
        async with self._judging:
            # On a thread: the first read of a long case checks thousands of signatures.
            judged = await asyncio.to_thread(
                self._judged.judged, case, rows, self._record, self._genesis_hash(rows, trust), empty
            )
            return judged.shown(checkpoint, missing, outside, handoffs, status)

    async def status_differences(self, trust: TrustPolicy | None = None) -> tuple[TimelineDifference, ...]:
        """Judge the whole strand about the jurisdiction's status again; return what the database has otherwise."""
        keys = [kind.subject(self._origin.jurisdiction).encode() for kind in (Keying.STATUS, Keying.JURISDICTION)]
        async with (
            self._clock.lock,
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await self._clock.advance(connection)
            rows = await connection.fetch(_SQL["status"], *keys)
            missing = await self._clock.missing(connection)
        genesis_hash = self._genesis_hash(rows, trust)
        found = await asyncio.to_thread(self._status_differences, rows, keys[0], genesis_hash)
        return all_differences(found, missing)

    def _status_differences(self, rows: Sequence[Any], status: bytes, genesis_hash: str) -> list[TimelineDifference]:
        check = StrandCheck(genesis_hash, Directory(self._origin.jurisdiction, self._origin.generation))
        for row in rows:
            check.add(self._record(row))
        own = {row["record_offset"] for row in rows if row["key"] == status}
        return [one for one in check.differences if one.position in own]

    def _record(self, row: Any) -> TimelineRecord:
        return _timeline_record(row, self._clock)

    def _genesis_hash(self, rows: Sequence[Any], trust: TrustPolicy | None) -> str:
        if trust is not None:
            return trust.logs[str(self._origin)].genesis_hash
        # Nothing is proven without a trust file: the timeline's own first event counts.
        first = next((row["value"] for row in rows if row["key"] == self._origin.jurisdiction.encode()), None)
        return original_hash(first).hex()

    async def _strands(
        self, connection: "PoolConnectionProxy[asyncpg.Record]", case: UUID
    ) -> tuple[Sequence[Any], Sequence[int]]:
        await self._clock.advance(connection)
        directory = Keying.JURISDICTION.subject(self._origin.jurisdiction)
        rows = await connection.fetch(_SQL["strands"], str(case).encode(), directory.encode())
        return rows, await self._clock.missing(connection)

    async def handoffs(self, asked: HandoffFilter = HandoffFilter()) -> tuple[Handoff, ...]:
        """Return the handoffs that match the filter, oldest first."""
        rows = await self._pool.fetch(_SQL["handoffs"], *_columns(asked))
        return tuple(handoff_of(row) for row in rows)

    async def figures(self, grouping: Grouping, now: datetime) -> tuple[Figures, ...]:
        """Return the figures of each group of handoffs at ``now``, computed by the database.

        Only open handoffs are read, to measure what lasts.
        """
        lasting = [
            (handoff.service, handoff.urgency, handoff.source, handoff.target, MEASURES.index(wait.measure) + 1, wait)
            for handoff in await self.handoffs(HandoffFilter(open_only=True))
            for wait in lasting_waits(handoff, now)
        ]
        columns = [list(column) for column in zip(*lasting, strict=True)] or [[] for _ in range(6)]
        columns[5] = [wait.lasted // _MICROSECOND for wait in columns[5]]
        rows = await self._pool.fetch(_SQL["figures"], grouping, *columns, longer_share(0.5), longer_share(0.9))
        return figures_of(grouping, [_wait_figures(row) for row in rows])

    async def rules(self) -> int | None:
        """Return the version of the rules in force at the last entry; None on an empty record."""
        found: int | None = await self._pool.fetchval(_SQL["rules"])
        return found

    async def next_offset(self) -> int:
        """Return the offset up to which the record is on the timeline."""
        found: int = await self._pool.fetchval(_SQL["next_offset"])
        return found


def _columns(asked: HandoffFilter) -> tuple[object, ...]:
    return asked.case, asked.service, asked.urgency, asked.open_only


def _timeline_record(row: Any, clock: AppendTimes) -> TimelineRecord:
    message = Message(row["key"], row["value"], headers_of(row["headers"]))
    offset, appended_ms = row["record_offset"], row["appended_ms"]
    return TimelineRecord(
        kafka=KafkaRecord(offset, appended_ms, message),
        record_ms=clock.record_ms(offset, appended_ms),
        is_of_strand=row["is_of_strand"],
        tag=row["case_tag"],
        sequence=row["tag_sequence"],
        previous_leaf=row["previous_leaf"],
        leaf=row["leaf"],
        derived=DerivedColumns(
            record_ms=row["record_ms"],
            verdict=Verdict(VerdictKind(row["verdict"]), row["reason"]),
            subject=row["subject"],
            event_id=row["event_id"],
            event_type=row["event_type"],
            emitter=row["emitter"],
            referral=row["referral"],
            reference=row["reference"],
            rules=row["rules"],
            recipients=tuple(row["recipients"]),
        ),
    )


def headers_of(packed: bytes) -> Headers:
    """Return the headers of a row; empty ones if they cannot be decoded."""
    try:
        return unpack_headers(packed)
    except NotHeaders:
        # Headers that cannot be decoded differ from the recorded ones. Empty headers make the comparison report that.
        return ()


def _wait_figures(row: Any) -> WaitFigures:
    p50, p90, oldest = (None if us is None else us / 1e6 for us in (row["p50_us"], row["p90_us"], row["oldest_us"]))
    measure = MEASURES[row["measure"] - 1]
    return WaitFigures(tuple(row["group_key"]), measure, row["count"], row["open"], p50, p90, oldest)


def handoff_row(handoff: Handoff) -> tuple[Any, ...]:
    """Return the columns of a handoff in table order."""
    ending = handoff.ending
    # The times are stored in milliseconds, and the waits are those between stored times.
    stored = handoff if handoff.due_at is None else replace(handoff, due_at=from_ms(to_ms(handoff.due_at)))
    waits = {wait.measure: wait for wait in settled_waits(stored)}
    return (
        handoff.case,
        handoff.referral,
        handoff.source,
        handoff.target,
        handoff.service.value,
        handoff.urgency.value,
        handoff.state.value,
        to_ms(handoff.requested_at),
        _ms(handoff.delivered_at),
        _ms(handoff.opened_at),
        _ms(handoff.answered_at),
        _ms(handoff.started_at),
        _ms(handoff.closed_at),
        _ms(handoff.due_at),
        _ms(handoff.place_held_until),
        _ms(handoff.place_agreed_at),
        handoff.root,
        handoff.hop,
        None if ending is None else ending.state.value,
        None if ending is None else ending.code,
        state_codec.dump_pauses(handoff.pauses),
        state_codec.dump_steps(handoff.steps),
        [waits[measure].lasted // _MICROSECOND if measure in waits else None for measure in MEASURES],
        [waits[measure].ended if measure in waits else None for measure in MEASURES],
    )


def handoff_of(row: Any) -> Handoff:
    """Return the handoff of a row."""
    return Handoff(referral=row["referral"], case=row["case_id"], root=row["chain_root"], **handoff_columns(row))


def handoff_columns(row: Any) -> dict[str, Any]:
    """Return the fields of a handoff that the board's view has as well, by name."""
    return {
        "source": row["source"],
        "target": row["target"],
        "service": CaseService(row["service"]),
        "urgency": Urgency(row["urgency"]),
        "state": State(row["state"]),
        "requested_at": from_ms(row["requested_ms"]),
        "delivered_at": _time(row["delivered_ms"]),
        "opened_at": _time(row["opened_ms"]),
        "answered_at": _time(row["answered_ms"]),
        "started_at": _time(row["started_ms"]),
        "closed_at": _time(row["closed_ms"]),
        "due_at": _time(row["due_ms"]),
        "place_held_until": _time(row["place_held_until_ms"]),
        "place_agreed_at": _time(row["place_agreed_ms"]),
        "hop": row["hop"],
        "ending": None if row["ended_as"] is None else Ending(State(row["ended_as"]), row["ended_code"]),
        "pauses": state_codec.load_pauses(row["pauses"]),
        "steps": state_codec.load_steps(row["steps"]),
    }


def _ms(time: datetime | None) -> int | None:
    return None if time is None else to_ms(time)


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
