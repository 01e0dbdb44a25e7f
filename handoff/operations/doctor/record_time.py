"""Checks of record time: whether it is in alarm, and which entries the exchange's stamp bounded, or failed to bound."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from handoff import clock
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken, RecordReader
from handoff.config import ProcessSettings
from handoff.operations.doctor.findings import DoctorFinding
from handoff.operations.installation_settings import InstallationSettings
from handoff.record.kafka_record import KafkaRecord
from handoff.record.record_time import BOUND_MS, is_plausible, stamp_ms
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION

_PART = "record time"
_ENTRIES = 1_000
"""Number of the newest entries that are examined."""
_READ_SECONDS = 10
_REPAIR = "correct the clock that is wrong (NTP); then follow *An alarm names `record_time`* in docs/runbook.md"
_FORGED = (
    "the exchange stamps every entry, so another program appended it: replace the exchange's password at the broker, "
    "and inform the auditors"
)


async def record_time_findings(installed: InstallationSettings) -> Sequence[DoctorFinding]:
    """Examine the newest entries of the record. Without the settings of a process that may read it, nothing."""
    readers = {settings.member: settings for settings in installed.processes}
    reader = next((readers[name] for name in (PROJECTION, EXCHANGE, MONITOR) if name in readers), None)
    if reader is None:
        return ()
    try:
        entries = await asyncio.wait_for(_newest(reader), _READ_SECONDS)
    except (BrokerUnavailable, RecordBroken, TimeoutError) as error:
        return (DoctorFinding(_PART, "unchecked", f"the record cannot be read: {error}"),)
    return tuple(findings_of(entries, clock.now()))


async def _newest(process: ProcessSettings) -> Sequence[KafkaRecord]:
    reader = RecordReader(process.kafka, process.jurisdiction, client_id=f"{process.member}-doctor-time")
    try:
        end = await reader.end()
        position, found = max(0, end - _ENTRIES), list[KafkaRecord]()
        await reader.start(position)
        while position + len(found) < end:
            found += await reader.read(wait=1)
        return found
    finally:
        await reader.close()


def findings_of(entries: Sequence[KafkaRecord], now: datetime) -> Iterator[DoctorFinding]:
    """Yield the findings about these entries, the newest entries of a record."""
    if not entries:
        return
    last = entries[-1]
    stamp = stamp_ms(last.message.headers)
    if stamp is not None and not is_plausible(last.skew_ms):
        left = timedelta(milliseconds=stamp + BOUND_MS) - timedelta(seconds=now.timestamp())
        held = left > timedelta(0)
        lasting = "no missed deadline is published now" if held else "no later entry shows that the clocks agree"
        finding = f"in alarm since offset {last.offset}: {_skew(last)}; {lasting}"
        yield DoctorFinding(_PART, "bad" if held else "slow", finding, _REPAIR)
    else:
        yield DoctorFinding(_PART, "ok", f"at the last entry {_skew(last)}")
    bounded = [entry for entry in entries if entry.skew_ms > BOUND_MS]
    if bounded:
        worst = max(bounded, key=lambda entry: entry.skew_ms)
        described = f"it bounded {_offsets(bounded)}; at offset {worst.offset} {_skew(worst)}"
        yield DoctorFinding("stamp bound", "ok", f"{described}. Each counts {BOUND_MS // 1000} s after its stamp")
    if unstamped := [entry for entry in entries if stamp_ms(entry.message.headers) is None]:
        finding = f"no stamp of the exchange bounds the append time of {_offsets(unstamped)}"
        yield DoctorFinding("stamp bound", "bad", finding, _FORGED)


def _skew(entry: KafkaRecord) -> str:
    seconds = entry.skew_ms / 1000
    return f"the broker's clock was {abs(seconds):.0f} s {'ahead of' if seconds >= 0 else 'behind'} the exchange's"


def _offsets(entries: Sequence[KafkaRecord]) -> str:
    first, last = entries[0].offset, entries[-1].offset
    return f"the entry at offset {first}" if first == last else f"{len(entries)} entries at offsets {first} to {last}"
