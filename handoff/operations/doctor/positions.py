"""Checks of the positions of readers: their lag, and what the broker lost that a reader had read before."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.pool import open_pool
from handoff.config import PostgresSettings, ProcessSettings
from handoff.operations.doctor.findings import UNREACHABLE, DoctorFinding, start_advice
from handoff.operations.installation_settings import InstallationSettings
from handoff.record.delivery import BrokenDelivery, Delivery
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION, in_topic

_LAG = 100
"""Lag, in entries, from which a reader counts as slow."""
_BROKER_SECONDS = 10
_NO_INBOX = frozenset({EXCHANGE, PROJECTION, MONITOR})
_TRUNCATED = "docs/runbook.md, The record is truncated"
_RECORD_LOST = (
    f"stop every service now, because what is appended hides the loss, and follow {_TRUNCATED}: `handoff record check` "
    "lists what is lost, and `handoff record restore` writes it back"
)
_INBOX_LOST = (
    f"a restart does not help. Follow {_TRUNCATED}: `handoff record restore` writes them back from the node's database"
)
_EXCHANGE_POSITION = "SELECT next_offset, last_hash FROM position"
_PROJECTION_POSITION = "SELECT next_offset FROM timeline.position"
_NODE_POSITION = "SELECT next_offset, sequence FROM position"


@dataclass(frozen=True, slots=True)
class _Position:
    """Stored position of a reader: the next offset, and by what the reader knows the entry before it."""

    next_offset: int
    last_hash: bytes = b""
    sequence: int = 0


async def broker_findings(installed: InstallationSettings) -> tuple[DoctorFinding, ...]:
    """Check the broker, and the position of each reader of the record and of each node in its inbox.

    Only exchange, projection and monitor may read the record.
    """
    processes = {settings.member: settings for settings in installed.processes}
    reader = next((processes[name] for name in (PROJECTION, EXCHANGE, MONITOR) if name in processes), None)
    nodes = [settings for member, settings in processes.items() if member not in _NO_INBOX]
    record: tuple[DoctorFinding, ...] = ()
    if reader is not None:
        end = await _end(reader, None)
        if isinstance(end, DoctorFinding):
            return (end,)
        record = (
            DoctorFinding("kafka", "ok", f"the record has {end} entries"),
            *await _record_readers(installed, processes, end),
        )
    inboxes = await asyncio.gather(*(_inbox(node, names_end=reader is None) for node in nodes))
    return (*record, *(finding for found in inboxes for finding in found))


async def _record_readers(
    installed: InstallationSettings, processes: Mapping[str, ProcessSettings], end: int
) -> Sequence[DoctorFinding]:
    found = []
    if EXCHANGE in processes:
        process = processes[EXCHANGE]
        position = await _position(EXCHANGE, process.postgres, _EXCHANGE_POSITION)
        found.append(await _exchange_finding(process, position, end) if isinstance(position, _Position) else position)
    if PROJECTION in processes:
        position = await _position(PROJECTION, installed.timeline_reader, _PROJECTION_POSITION)
        if isinstance(position, _Position):
            found.append(_lost_record(PROJECTION, position, end) or _lag(PROJECTION, end - position.next_offset))
        else:
            found.append(position)
    return found


async def _exchange_finding(process: ProcessSettings, position: _Position, end: int) -> DoctorFinding:
    """Compare also the last entry that was routed: a record that grew again is not shorter."""
    if (lost := _lost_record(EXCHANGE, position, end)) is not None:
        return lost
    if position.last_hash:
        reader = RecordReader(process.kafka, process.jurisdiction, client_id=f"{process.member}-doctor-position")
        try:
            await asyncio.wait_for(
                reader.resume_after(position.next_offset - 1, position.last_hash), timeout=_BROKER_SECONDS
            )
        except RecordBroken as error:
            finding = f"{error}: the broker lost entries that the exchange had routed, and others replaced them"
            return DoctorFinding(_part(EXCHANGE), "bad", finding, _RECORD_LOST)
        except (BrokerUnavailable, TimeoutError):
            # The record's end was read before: the next examination compares again.
            pass
        finally:
            await reader.close()
    return _lag(EXCHANGE, end - position.next_offset)


def _lost_record(name: str, position: _Position, end: int) -> DoctorFinding | None:
    if position.next_offset <= end:
        return None
    finding = (
        f"the record ends at {end}, and the {name} has read it up to {position.next_offset}: the broker lost "
        f"{_entries(position.next_offset - end)} that it had acknowledged, offsets {end} to {position.next_offset - 1}"
    )
    return DoctorFinding(_part(name), "bad", finding, _RECORD_LOST)


async def _inbox(node: ProcessSettings, *, names_end: bool) -> tuple[DoctorFinding, ...]:
    topic = in_topic(node.jurisdiction, node.member)
    end = await _end(node, topic)
    if isinstance(end, DoctorFinding):
        return (end,)
    length = (DoctorFinding("kafka", "ok", f"the inbox of {node.member} has {end} entries"),) if names_end else ()
    position = await _position(node.member, node.postgres, _NODE_POSITION)
    if not isinstance(position, _Position):
        return (*length, position)
    if position.next_offset <= end:
        return (*length, _lag(node.member, end - position.next_offset, "its inbox"))
    last = await _last_sequence(node, topic, end)
    lost = f"{_entries(position.next_offset - end)} that the node had read"
    which = f", up to sequence {position.sequence}; the last one left has {last}" if last is not None else ""
    finding = (
        f"its inbox topic ends at {end}, before its position {position.next_offset}: the broker lost {lost}{which}"
    )
    return (*length, DoctorFinding(_part(node.member), "bad", finding, _INBOX_LOST))


async def _last_sequence(node: ProcessSettings, topic: str, end: int) -> int | None:
    """Return the sequence of the topic's last entry; 0 if there is none, None if it cannot be read."""
    if end == 0:
        return 0
    reader = _reader(node, topic)
    try:
        entry = await asyncio.wait_for(reader.entry_at(end - 1), _BROKER_SECONDS)
        return Delivery.from_message(entry.message).sequence
    except (BrokerUnavailable, RecordBroken, TimeoutError, BrokenDelivery):
        return None
    finally:
        await reader.close()


async def _end(settings: ProcessSettings, topic: str | None) -> int | DoctorFinding:
    reader = _reader(settings, topic)
    try:
        return await asyncio.wait_for(reader.end(), _BROKER_SECONDS)
    except (BrokerUnavailable, RecordBroken, TimeoutError) as error:
        advice = f"{start_advice('the broker')}; until then commands are stored and not sent"
        return DoctorFinding("kafka", "bad", f"{topic or 'the record'} cannot be read: {error}", advice)
    finally:
        await reader.close()


def _reader(settings: ProcessSettings, topic: str | None) -> RecordReader:
    return RecordReader(settings.kafka, settings.jurisdiction, client_id=f"{settings.member}-doctor", topic=topic)


async def _position(name: str, database: PostgresSettings, query: str) -> _Position | DoctorFinding:
    try:
        async with open_pool(database, max_size=1) as pool:
            row = await pool.fetchrow(query)
        return _Position(**dict(row or {"next_offset": 0}))
    except UNREACHABLE as error:
        return DoctorFinding(_part(name), "bad", f"is not available: {error}", start_advice("PostgreSQL"))


def _lag(name: str, lag: int, source: str = "the record") -> DoctorFinding:
    if lag > _LAG:
        return DoctorFinding(_part(name), "slow", f"{lag} entries behind {source}", f"read the log of {name}")
    return DoctorFinding(_part(name), "ok", f"{lag} entries behind {source}")


def _part(name: str) -> str:
    return f"{name}'s database"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
