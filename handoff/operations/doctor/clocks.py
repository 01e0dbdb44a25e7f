"""Comparison of the clocks of broker, database and processes with the clock of this machine."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from handoff import clock
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.adapters.postgres.checkpoints import newest_published
from handoff.adapters.postgres.pool import open_pool
from handoff.config import PostgresSettings, ProcessSettings
from handoff.operations.doctor.findings import UNREACHABLE, DoctorFinding
from handoff.operations.installation_settings import InstallationSettings
from handoff.record.topics import PROJECTION, checkpoints_topic

TOLERANCE = timedelta(seconds=2)
"""Difference up to which clocks count as equal, beside the uncertainty of each reading."""
_CHECKPOINTS = 20
_TOPIC_ENTRIES = 400
_READ_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Time by which the clock of a part is ahead of this machine's, between two bounds."""

    part: str
    lowest: timedelta
    highest: timedelta

    @property
    def ahead(self) -> timedelta:
        """Middle of the bounds."""
        return (self.lowest + self.highest) / 2

    @property
    def differs(self) -> bool:
        """Return whether the clock certainly differs by more than the tolerance."""
        return self.lowest > TOLERANCE or self.highest < -TOLERANCE


def reading(part: str, shown: datetime, before: datetime, after: datetime, resolution: timedelta) -> ClockReading:
    """Return the reading of a clock that showed ``shown`` between two times of this machine."""
    return ClockReading(part, shown - after, shown + resolution - before)


def http_reading(part: str, date: str | None, before: datetime, after: datetime) -> ClockReading | None:
    """Return the reading of the clock behind an HTTP response; None without a valid ``Date``."""
    try:
        shown = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return reading(part, shown, before, after, timedelta(seconds=1))


async def database_readings(databases: Iterable[PostgresSettings]) -> Sequence[ClockReading]:
    """Read the clock of each database server that answers."""
    servers = {(database.host, database.port): database for database in databases}
    found = []
    for (host, port), database in servers.items():
        try:
            async with open_pool(database, max_size=1) as pool, pool.acquire() as connection:
                before = clock.now()
                shown = await connection.fetchval("SELECT clock_timestamp()")
                found.append(reading(f"PostgreSQL at {host}:{port}", shown, before, clock.now(), timedelta(0)))
        except UNREACHABLE:
            continue
    return found


async def broker_reading(installed: InstallationSettings, readings: Sequence[ClockReading]) -> ClockReading | None:
    """Read the broker's clock from the append times of the newest checkpoints.

    The protocol of Kafka does not return the broker's time. Returns None if the projection's clock is not in
    ``readings``: the checkpoints were due by that clock.
    """
    projection = next((process for process in installed.processes if process.member == PROJECTION), None)
    publisher = next((one for one in readings if one.part == PROJECTION), None)
    if projection is None or publisher is None:
        return None
    try:
        async with open_pool(installed.timeline_reader, max_size=1) as pool, pool.acquire() as connection:
            published = await newest_published(connection, _CHECKPOINTS)
        appended = await _appended(projection)
    except (*UNREACHABLE, BrokerUnavailable, RecordBroken):
        return None
    return checkpoint_reading(published, appended, publisher, clock.now())


def checkpoint_reading(
    published: Iterable[tuple[bytes, int]],
    appended: Iterable[tuple[bytes, int]],
    publisher: ClockReading,
    now: datetime,
) -> ClockReading | None:
    """Return the bounds of the broker's clock from checkpoints, newest first, each with milliseconds since 1970.

    The broker appended each checkpoint before now, and after it was due by the publisher's clock. One of several is
    published without delay, so that the upper bound is close. Checkpoints of a record that did not grow have the same
    bytes and are paired in their order.
    """
    times: dict[bytes, deque[int]] = {}
    for value, appended_ms in appended:
        times.setdefault(value, deque()).append(appended_ms)
    pairs = [(times[value].popleft(), due_ms) for value, due_ms in published if times.get(value)]
    if not pairs:
        return None
    highest = timedelta(milliseconds=min(append - due for append, due in pairs)) + publisher.highest
    lowest = timedelta(milliseconds=max(append for append, _ in pairs) - now.timestamp() * 1000)
    return ClockReading("Kafka", min(lowest, highest), highest)


async def _appended(projection: ProcessSettings) -> Sequence[tuple[bytes, int]]:
    """Return the newest values of the checkpoints topic with their append times, newest first."""
    topic = checkpoints_topic(projection.jurisdiction)
    client = f"{projection.member}-doctor-clock"
    reader = RecordReader(projection.kafka, projection.jurisdiction, client_id=client, topic=topic)
    try:
        end = await reader.end()
        position = max(0, end - _TOPIC_ENTRIES)
        await reader.start(position)
        found: list[tuple[bytes, int]] = []
        while position < end and (entries := await reader.read(wait=_READ_SECONDS)):
            position += len(entries)
            found += [(entry.message.value or b"", entry.appended_ms) for entry in entries]
        return found[::-1]
    finally:
        await reader.close()


def clock_findings(readings: Sequence[ClockReading]) -> Iterator[DoctorFinding]:
    """Compare clocks that were read in the same moment."""
    differing = [one for one in readings if one.differs]
    if not readings:
        yield DoctorFinding("clocks", "unchecked", "no part with a clock answered")
    elif not differing:
        parts = ", ".join(one.part for one in readings)
        yield DoctorFinding("clocks", "ok", f"within {TOLERANCE.total_seconds():.0f} s of this machine's: {parts}")
    else:
        described = "; ".join(_described(one) for one in differing)
        all_differ = len(differing) == len(readings)
        only_here = " All differ from this machine's clock, which may be the wrong one." if all_differ else ""
        advice = "synchronise the clocks (NTP); record time follows the broker's clock, see docs/runbook.md"
        yield DoctorFinding("clocks", "bad", f"{described}.{only_here}", advice)


def _described(one: ClockReading) -> str:
    seconds = one.ahead.total_seconds()
    return f"{one.part} is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's clock"
