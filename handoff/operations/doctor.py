"""An installation examined: each part asked, each finding with what to do about it."""

import asyncio
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import asyncpg
import httpx

from handoff import clock
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoints import newest_vouched
from handoff.adapters.postgres.pool import open_pool
from handoff.config import PostgresSettings, ProcessSettings
from handoff.operations.installation_settings import InstallationSettings, url
from handoff.proof.log.checkpoint import Origin
from handoff.record.topics import EXCHANGE, PROJECTION

Health = Literal["ok", "slow", "bad"]
_LAG = 100
"""Entries behind the record's end from which a reader counts as slow."""
_CADENCES = 3
"""Without a cosigned checkpoint for so many cadences, somebody has stopped signing."""
_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part; ``advice`` is empty where nothing needs doing."""

    part: str
    state: Health
    finding: str
    advice: str = ""


async def examine_installation(installed: InstallationSettings) -> tuple[Finding, ...]:
    """Every part of an installation. Raises ConfigurationError where a file cannot be understood at all."""
    processes = installed.processes
    answers = await asyncio.gather(*(_process(settings) for settings in processes))
    return (*_configuration(processes), *await _record(installed), await checkpoint_finding(installed), *answers)


def _configuration(processes: tuple[ProcessSettings, ...]) -> Iterator[Finding]:
    anchors = {settings.genesis_sha256 for settings in processes}
    if len(anchors) > 1:
        yield Finding(
            "trust anchor", "bad", "the configurations disagree on genesis_sha256", "run `handoff init` again"
        )
    else:
        yield Finding("trust anchor", "ok", f"all configurations name {anchors.pop()[:16]}…")
    for settings in processes:
        yield from _key_file(settings)


def _key_file(settings: ProcessSettings) -> Iterator[Finding]:
    path = settings.signing_key_file
    if path is None:
        return
    if not path.exists():
        yield Finding(settings.member, "bad", f"its key {path} is missing", "restore the key, or register a new one")
    elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(settings.member, "bad", f"others may read its key {path}", f"chmod 600 {path}")


async def _record(installed: InstallationSettings) -> tuple[Finding, ...]:
    """The broker, the database, and how far the exchange and the projection are behind the record."""
    settings = installed.process(PROJECTION)
    reader = RecordReader(settings.kafka, settings.jurisdiction, client_id="doctor")
    try:
        end = await asyncio.wait_for(reader.end(), 10)
    except (BrokerUnavailable, RecordBroken, TimeoutError) as error:
        advice = "start the broker (`handoff up`); commands go on being stored meanwhile"
        return (Finding("kafka", "bad", f"the record cannot be read: {error}", advice),)
    finally:
        await reader.close()
    behind = [
        await _behind(EXCHANGE, installed.process(EXCHANGE).postgres, "SELECT next_offset FROM position", end),
        await _behind(PROJECTION, installed.projection_as("reader"), "SELECT next_offset FROM timeline.position", end),
    ]
    return Finding("kafka", "ok", f"the record holds {end} entries"), *behind


async def _behind(name: str, database: PostgresSettings, query: str, end: int) -> Finding:
    try:
        async with open_pool(database, max_size=1) as pool:
            position = await pool.fetchval(query)
    except _UNREACHABLE as error:
        return Finding(f"{name}'s database", "bad", f"cannot be reached: {error}", "start PostgreSQL (`handoff up`)")
    lag = end - position
    if lag > _LAG:
        return Finding(f"{name}'s database", "slow", f"{lag} entries behind the record", f"read {name}'s log")
    return Finding(f"{name}'s database", "ok", f"{max(lag, 0)} entries behind the record")


async def checkpoint_finding(installed: InstallationSettings) -> Finding:
    """Up to where, and until when, an auditor can prove what the record holds."""
    settings = installed.process(PROJECTION)
    if settings.checkpoints is None:
        return Finding("checkpoint", "bad", "nothing is ever signed", f"give {PROJECTION} a section [checkpoints]")
    origin = Origin(settings.jurisdiction, settings.generation)
    trust = trusted(settings.checkpoints, origin)
    try:
        async with (
            open_pool(installed.projection_as("reader"), max_size=1) as pool,
            pool.acquire() as connection,
            connection.transaction(readonly=True),
        ):
            newest = await newest_vouched(connection, origin, trust)
    except _UNREACHABLE as error:
        return Finding("checkpoint", "bad", f"cannot be read: {error}", "start PostgreSQL (`handoff up`)")
    if newest is None or newest.proven_at is None:
        return Finding("checkpoint", "slow", "none is cosigned by enough yet", "wait; else read the cosigners' logs")
    proven = f"size {newest.opened.head.size}, cosigned at {newest.proven_at:%Y-%m-%d %H:%M:%S} UTC"
    if clock.now() - newest.proven_at > _CADENCES * timedelta(seconds=settings.checkpoints.cadence_seconds):
        return Finding(
            "checkpoint", "slow", f"the newest is old: {proven}", "read the projection's and cosigners' logs"
        )
    return Finding("checkpoint", "ok", proven)


async def _process(settings: ProcessSettings) -> Finding:
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(f"{url(settings)}/health/ready")
    except httpx.TransportError:
        return Finding(settings.member, "bad", f"does not answer at {url(settings)}", "start it; its log says why")
    parts = answer.json().get("parts", [])
    ailing = [f"{part['name']}: {part.get('detail') or 'not ready'}" for part in parts if not part["ready"]]
    if answer.status_code != 200:
        return Finding(settings.member, "bad", "; ".join(ailing) or "not ready", "read its log; it repairs by itself")
    if ailing:
        return Finding(
            settings.member, "bad", "; ".join(ailing), "read its log and docs/runbook.md; it goes on exchanging"
        )
    return Finding(settings.member, "ok", "; ".join(f"{p['name']}: {p.get('detail') or 'ready'}" for p in parts))
