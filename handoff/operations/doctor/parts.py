"""Checks of the broker, of the readers' lag, and of the newest checkpoint."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from handoff import clock
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoints import newest_cosigned
from handoff.adapters.postgres.pool import open_pool
from handoff.config import PostgresSettings, ProcessSettings
from handoff.operations.doctor.findings import UNREACHABLE, DoctorFinding, start_advice
from handoff.operations.installation_settings import InstallationSettings, SettingsNotFound
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION, in_topic

_LAG = 100
"""Lag, in entries, from which a reader counts as slow."""
_CADENCES = 3
"""Number of cadences without a cosigned checkpoint from which the newest one counts as old."""
_BROKER_SECONDS = 10


async def broker_findings(installed: InstallationSettings) -> tuple[DoctorFinding, ...]:
    """Check the broker, and the lag of the exchange and the projection behind the record.

    Only these two and the monitor may read the record. With the settings of a node alone, check its inbox instead.
    """
    processes = {settings.member: settings for settings in installed.processes}
    reader = next((processes[name] for name in (PROJECTION, EXCHANGE, MONITOR) if name in processes), None)
    if reader is None:
        return tuple([finding for node in processes.values() for finding in await _inbox(node)])
    end = await _end(reader, None)
    if isinstance(end, DoctorFinding):
        return (end,)
    return (DoctorFinding("kafka", "ok", f"the record has {end} entries"), *await _lags(installed, processes, end))


async def _lags(
    installed: InstallationSettings, processes: Mapping[str, ProcessSettings], end: int
) -> tuple[DoctorFinding, ...]:
    found = []
    if EXCHANGE in processes:
        query = "SELECT next_offset FROM position"
        found.append(await _lag(EXCHANGE, processes[EXCHANGE].postgres, query, end, "the record"))
    if PROJECTION in processes:
        query = "SELECT next_offset FROM timeline.position"
        found.append(await _lag(PROJECTION, installed.timeline_reader, query, end, "the record"))
    return tuple(found)


async def _inbox(node: ProcessSettings) -> tuple[DoctorFinding, ...]:
    end = await _end(node, in_topic(node.jurisdiction, node.member))
    if isinstance(end, DoctorFinding):
        return (end,)
    lag = await _lag(node.member, node.postgres, "SELECT next_offset FROM position", end, "its inbox")
    return DoctorFinding("kafka", "ok", f"the inbox of {node.member} has {end} entries"), lag


async def _end(settings: ProcessSettings, topic: str | None) -> int | DoctorFinding:
    reader = RecordReader(settings.kafka, settings.jurisdiction, client_id=f"{settings.member}-doctor", topic=topic)
    try:
        return await asyncio.wait_for(reader.end(), _BROKER_SECONDS)
    except (BrokerUnavailable, RecordBroken, TimeoutError) as error:
        advice = f"{start_advice('the broker')}; until then commands are stored and not sent"
        return DoctorFinding("kafka", "bad", f"{topic or 'the record'} cannot be read: {error}", advice)
    finally:
        await reader.close()


async def _lag(name: str, database: PostgresSettings, query: str, end: int, source: str) -> DoctorFinding:
    part = f"{name}'s database"
    try:
        async with open_pool(database, max_size=1) as pool:
            position = await pool.fetchval(query)
    except UNREACHABLE as error:
        return DoctorFinding(part, "bad", f"is not available: {error}", start_advice("PostgreSQL"))
    lag = end - position
    if lag > _LAG:
        return DoctorFinding(part, "slow", f"{lag} entries behind {source}", f"read the log of {name}")
    return DoctorFinding(part, "ok", f"{max(lag, 0)} entries behind {source}")


async def checkpoint_finding(installed: InstallationSettings) -> DoctorFinding:
    """Check size and age of the newest checkpoint that enough cosigners have signed."""
    try:
        checkpoints, database = installed.checkpoints, installed.timeline_reader
    except SettingsNotFound as error:
        return DoctorFinding("checkpoint", "unchecked", str(error))
    origin = installed.origin
    trust = trusted(checkpoints, origin)
    try:
        async with (
            open_pool(database, max_size=1) as pool,
            pool.acquire() as connection,
            connection.transaction(readonly=True),
        ):
            newest = await newest_cosigned(connection, origin, trust)
    except UNREACHABLE as error:
        return DoctorFinding("checkpoint", "bad", f"cannot be read: {error}", start_advice("PostgreSQL"))
    if newest is None or newest.proven_at is None:
        return DoctorFinding(
            "checkpoint", "slow", "none has enough cosignatures yet", "wait; if it lasts, read the cosigners' logs"
        )
    proven = f"size {newest.opened.head.size}, cosigned at {newest.proven_at:%Y-%m-%d %H:%M:%S} UTC"
    if clock.now() - newest.proven_at > _CADENCES * timedelta(seconds=checkpoints.cadence_seconds):
        return DoctorFinding(
            "checkpoint", "slow", f"the newest is old: {proven}", "read the logs of the projection and the cosigners"
        )
    return DoctorFinding("checkpoint", "ok", proven)
