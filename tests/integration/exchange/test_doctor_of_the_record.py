"""The doctor on a record whose time is in alarm, and on topics that lost entries; the repairs of docs/runbook.md."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from handoff import clock
from handoff.operations.doctor.findings import DoctorFinding
from handoff.operations.doctor.positions import broker_findings
from handoff.operations.doctor.record_time import record_time_findings
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.setup import broker_topics
from handoff.operations.topic_copy import append
from handoff.record.codec import AnyEvent
from handoff.record.codes import DeadlineSource, DeadlineStep, Urgency
from handoff.record.delivery import to_ms
from handoff.record.events.deadline import DeadlineMissed
from handoff.record.events.directory import Deadline
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.record_time import stamp_ms, stamped
from handoff.record.topics import record_topic
from tests.support.dsl.builders import signed
from tests.support.dsl.referral_events import Matter
from tests.support.parts.node_process import free_port
from tests.support.parts.small_jurisdiction import Town, contains, events_of, town
from tests.support.parts.stack import Jurisdictions
from tests.support.parts.topic_times import take_any_time
from tests.support.probes.eventually import eventually

YEAR = timedelta(days=365)
DEADLINES = (
    Deadline(step=DeadlineStep.ANSWERED, amount=1, urgencies=(Urgency.NORMAL,), source=DeadlineSource.ASSUMED),
)


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[Town]:
    """A small jurisdiction in which an answer is due within a second."""
    async with town(jurisdictions, tmp_path, deadlines=DEADLINES) as founded:
        yield founded


async def _append_with_a_false_clock(place: Town, message: Message, ahead: timedelta) -> int:
    """Append an entry with the true stamp of the exchange, as a broker whose clock is ``ahead`` does."""
    topic = next(topic for topic in place.topics() if topic.name == record_topic(place.name))
    kafka, now = place.jurisdiction.kafka, clock.now()
    take_any_time(place.jurisdiction, topic)
    offset = len(await place.until_settled())
    entry = Message(message.key, message.value, stamped(message.headers, to_ms(now)))
    await append(kafka, topic.name, [KafkaRecord(offset, to_ms(now + ahead), entry)])
    await asyncio.to_thread(broker_topics.restore_timestamps, kafka, topic)
    return offset


def _by_part(findings: tuple[DoctorFinding, ...]) -> dict[str, DoctorFinding]:
    return {finding.part: finding for finding in findings}


async def test_a_year_of_the_broker_s_clock_is_repaired_by_the_runbook_s_steps(place: Town) -> None:
    """Alarm, metric and finding name it; with the clock corrected, the next entry ends it and no deadline has moved."""
    port, installed = free_port(), InstallationSettings(place.directory / "first.toml")
    exchange = place.exchange(port=str(port))
    exchange.start()
    await place.found()
    held, timed = Matter(place, 1), Matter(place, 2)
    await place.publish(*held.begun(Urgency.NORMAL))
    await place.inbox("shelter", lambda inbox: contains(inbox, held.asked(Urgency.NORMAL)))
    await place.publish(held.delivered())
    await place.inbox("police", lambda inbox: contains(inbox, held.delivered()))
    offset = await _append_with_a_false_clock(place, signed(timed.opened()), YEAR)

    # Step 1: the alarm, the metric and the doctor name the entry and the difference.
    async def is_alarmed() -> bool:
        return await _metric(port, "handoff_record_clock_skew_seconds") > YEAR.total_seconds() - 60

    await eventually(is_alarmed)
    assert await _metric(port, 'handoff_record_alarms_total{member="police",reason="record_time"}') == 1
    found = _by_part(tuple(await record_time_findings(installed)))
    assert found["record time"].state == "bad"
    assert f"in alarm since offset {offset}: the broker's clock was" in found["record time"].finding
    assert "no missed deadline is published now" in found["record time"].finding
    # Step 2 is done: the broker stamps with its true clock again. Step 3: the next entry ends the alarm.
    await place.publish(timed.released())
    await place.inbox("police", lambda inbox: contains(inbox, timed.released()))
    await eventually(lambda: _is_below(port, 60))
    found = _by_part(tuple(await record_time_findings(installed)))
    assert found["record time"].state == "ok"
    assert found["stamp bound"].state == "ok"
    assert f"it bounded the entry at offset {offset}" in found["stamp bound"].finding
    # Step 4: nothing on the record is repaired. The answer that is due is reported missed now, and nothing expired.
    await place.inbox("police", lambda inbox: any(_is_missed(event, held) for event in events_of(inbox)))
    record = await place.check_inboxes()
    assert max(entry.counted_ms for entry in record) <= to_ms(clock.now() + timedelta(minutes=6))


async def test_an_entry_without_a_stamp_is_named(place: Town) -> None:
    place.exchange().start()
    await place.found()
    await place.append(signed(Matter(place, 1).opened()))
    await place.record(lambda found: any(stamp_ms(e.message.headers) is None for e in found))
    found = _by_part(tuple(await record_time_findings(InstallationSettings(place.directory / "first.toml"))))
    assert found["stamp bound"].state == "bad"
    assert "no stamp of the exchange bounds the append time of the entry at offset" in found["stamp bound"].finding
    assert "replace the exchange's password" in found["stamp bound"].advice


@pytest.mark.parametrize("grown", [0, 3], ids=["shorter", "grown again"])
async def test_a_record_that_lost_entries_is_named_with_its_repair(place: Town, grown: int) -> None:
    exchange, installed = place.exchange(), InstallationSettings(place.directory / "first.toml")
    exchange.start()
    await place.found()
    await place.publish(Matter(place, 1).opened())
    held = [entry.message for entry in await place.until_settled()]
    assert _by_part(await broker_findings(installed))["exchange's database"].state == "ok"
    assert exchange.terminate() == 0
    topic = next(topic for topic in place.topics() if topic.name == record_topic(place.name))
    await asyncio.to_thread(broker_topics.recreate_topic, place.jurisdiction.kafka, topic)
    others = [signed(Matter(place, number).opened()) for number in range(2, 2 + grown)]
    await place.append(*held[:-2], *others)
    found = _by_part(await broker_findings(installed))["exchange's database"]
    assert found.state == "bad"
    assert "handoff record restore" in found.advice
    lost = f"2 entries that it had acknowledged, offsets {len(held) - 2} to {len(held) - 1}"
    assert (lost if not grown else "others replaced them") in found.finding


def _is_missed(event: AnyEvent, matter: Matter) -> bool:
    return isinstance(getattr(event, "data", None), DeadlineMissed) and getattr(event, "subject", "") == str(
        matter.case
    )


async def _is_below(port: int, seconds: float) -> bool:
    return abs(await _metric(port, "handoff_record_clock_skew_seconds")) < seconds


async def _metric(port: int, name: str) -> float:
    async with httpx.AsyncClient(timeout=20) as http:
        lines = (await http.get(f"http://127.0.0.1:{port}/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
