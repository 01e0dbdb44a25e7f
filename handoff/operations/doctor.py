"""Doctor: checks of every part of an installation, each with a finding and the action to take."""

import asyncio
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import asyncpg
import httpx

from handoff import clock
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoints import newest_cosigned
from handoff.adapters.postgres.pool import open_pool
from handoff.config import PostgresSettings, ProcessSettings
from handoff.node.commands.results import StoreUnavailable
from handoff.operations.installation_settings import (
    InstallationSettings,
    SettingsNotFound,
    listens_everywhere,
    process_url,
)
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION, in_topic

Health = Literal["ok", "slow", "bad", "unchecked"]
_LAG = 100
"""Lag, in entries, from which a reader counts as slow."""
_CADENCES = 3
"""Number of cadences without a cosigned checkpoint from which the newest one counts as old."""
_BROKER_SECONDS = 10
_START = "start {part}; a running `handoff up` starts it again and prints why it ended"
_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, StoreUnavailable)


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """Result of one check; ``advice`` is empty if no action is needed."""

    part: str
    state: Health
    finding: str
    advice: str = ""


async def examine_installation(installed: InstallationSettings) -> tuple[DoctorFinding, ...]:
    """Check every part that the settings name. Raises ConfigurationError if the settings cannot be read."""
    processes = installed.processes
    several = len(processes) > 1
    responses = await asyncio.gather(*(_process(settings, several=several) for settings in processes))
    return (*_configuration(processes), *await _broker(installed), await checkpoint_finding(installed), *responses)


def is_healthy(findings: Sequence[DoctorFinding]) -> bool:
    """Return whether no finding requires an action."""
    return all(finding.state in ("ok", "unchecked") for finding in findings)


def _configuration(processes: tuple[ProcessSettings, ...]) -> Iterator[DoctorFinding]:
    anchors = {settings.genesis_sha256 for settings in processes}
    if len(anchors) > 1:
        yield DoctorFinding(
            "trust anchor", "bad", "the configurations disagree on genesis_sha256", "run `handoff init` again"
        )
    else:
        yield DoctorFinding("trust anchor", "ok", f"all configurations name {anchors.pop()[:16]}…")
    for settings in processes:
        yield from _key_file(settings)


def _key_file(settings: ProcessSettings) -> Iterator[DoctorFinding]:
    path = settings.signing_key_file
    if path is None:
        return
    if not path.parent.exists():
        yield DoctorFinding(
            settings.member, "unchecked", f"the folder of its key, {path.parent}, is not on this machine"
        )
    elif not path.exists():
        yield DoctorFinding(
            settings.member, "bad", f"its key {path} is missing", "restore the key, or register a new one"
        )
    elif path.stat().st_mode & (stat.S_IRWXO | _forbidden_to_group(path)):
        yield DoctorFinding(settings.member, "bad", f"others may access its key {path}", f"chmod 600 {path}")


def _forbidden_to_group(path: Path) -> int:
    # In a pod, root owns the mounted key, and the process reads it as a member of its group.
    return stat.S_IRWXG if path.stat().st_uid == os.geteuid() else stat.S_IWGRP | stat.S_IXGRP


async def _broker(installed: InstallationSettings) -> tuple[DoctorFinding, ...]:
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
        advice = f"{_START.format(part='the broker')}; until then commands are stored and not sent"
        return DoctorFinding("kafka", "bad", f"{topic or 'the record'} cannot be read: {error}", advice)
    finally:
        await reader.close()


async def _lag(name: str, database: PostgresSettings, query: str, end: int, source: str) -> DoctorFinding:
    part = f"{name}'s database"
    try:
        async with open_pool(database, max_size=1) as pool:
            position = await pool.fetchval(query)
    except _UNREACHABLE as error:
        return DoctorFinding(part, "bad", f"is not available: {error}", _START.format(part="PostgreSQL"))
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
    except _UNREACHABLE as error:
        return DoctorFinding("checkpoint", "bad", f"cannot be read: {error}", _START.format(part="PostgreSQL"))
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


async def _process(settings: ProcessSettings, *, several: bool = False) -> DoctorFinding:
    """Ask a process for its readiness."""
    if several and listens_everywhere(settings):
        finding = "its settings name no address: it listens on every address of its own machine"
        return DoctorFinding(settings.member, "unchecked", f"{finding}; run `handoff doctor` there")
    url = process_url(settings)
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            response = await client.get(f"{url}/health/ready")
    except httpx.TransportError:
        return DoctorFinding(settings.member, "bad", f"does not respond at {url}", _START.format(part="it"))
    parts = response.json().get("parts", [])
    not_ready = [f"{part['name']}: {part.get('detail') or 'not ready'}" for part in parts if not part["ready"]]
    if response.status_code != httpx.codes.OK:
        finding = "; ".join(not_ready) or "not ready"
        return DoctorFinding(settings.member, "bad", finding, "read its log; it retries by itself")
    if not_ready:
        advice = "read its log and docs/runbook.md; it still takes commands"
        return DoctorFinding(settings.member, "bad", "; ".join(not_ready), advice)
    return DoctorFinding(settings.member, "ok", "; ".join(f"{p['name']}: {p.get('detail') or 'ready'}" for p in parts))
