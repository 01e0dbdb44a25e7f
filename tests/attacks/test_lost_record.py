"""The record after an incident: what cannot be written back is not deleted, and what was lost is noticed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from handoff import clock
from handoff.adapters.kafka.faust_inbox import FaustInbox
from handoff.bootstrap.node import build_intake
from handoff.exchange.runtime import BROKEN_RECORD
from handoff.operations.doctor.positions import broker_findings
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.setup import broker_topics
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.operations.topic_copy import TopicCopy, TopicCopyMismatch, append, apply_copy, read_topic
from handoff.record.delivery import BrokenDelivery, DeliveryFault, to_ms
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import Topic, groups, in_topic, record_topic, topics
from tests.support.dsl.builders import signed
from tests.support.dsl.referral_events import Matter
from tests.support.parts.node_parts import Parts, node_parts
from tests.support.parts.settings_file import write_settings
from tests.support.parts.small_jurisdiction import Town, plan, town
from tests.support.parts.stack import Jurisdictions
from tests.support.parts.topic_times import take_any_time
from tests.support.probes.eventually import eventually

_SETTLED_SECONDS = 10
"""Upper bound on the time in which an exchange resumes, on a loaded machine."""


@pytest.fixture
async def place(broker_jurisdictions: Jurisdictions) -> Jurisdiction:
    """A jurisdiction of its own on the broker: its record is damaged here."""
    return await broker_jurisdictions.on_broker(plan())


def _record_of(place: Jurisdiction) -> Topic:
    return next(topic for topic in topics(place.name, place.members) if topic.name == record_topic(place.name))


async def _held(place: Jurisdiction, topic: Topic) -> list[KafkaRecord]:
    return [entry async for entry in read_topic(place.kafka, topic.name)]


async def _each(entries: list[KafkaRecord]) -> AsyncIterator[KafkaRecord]:
    for entry in entries:
        yield entry


async def test_an_entry_from_the_future_is_not_lost_by_a_redaction(place: Jurisdiction, tmp_path: Path) -> None:
    """A record with an entry two hours ahead of the broker's clock is whole after an attempt to write it again."""
    record, now = _record_of(place), clock.now()
    take_any_time(place, record)
    ahead = [to_ms(now), to_ms(now + timedelta(hours=2)), to_ms(now)]
    await append(place.kafka, record.name, [KafkaRecord(n, at, Message(b"k", b"%d" % n)) for n, at in enumerate(ahead)])
    broker_topics.apply_topics(place.kafka, (record,))
    before = await _held(place, record)
    assert len(before) == 3
    copy = TopicCopy(tmp_path / "copy")
    await copy.write({}, _each(before), _each(before))
    with suppress(KafkaError, TopicCopyMismatch):
        await apply_copy(place.kafka, record, copy)
    assert await _held(place, record) == before


@pytest.fixture
async def exchanged(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[Town]:
    """A jurisdiction of its own with an exchange's database."""
    async with town(jurisdictions, tmp_path) as unfounded:
        yield unfounded


@pytest.mark.faults
async def test_a_record_that_grew_again_past_what_it_lost_stops_the_exchange(exchanged: Town) -> None:
    """The exchange compares the last entry that it knows by hash, and skips nothing that replaced the lost offsets."""
    first = exchanged.exchange()
    first.start()
    await exchanged.found()
    await exchanged.publish(Matter(exchanged, 1).opened())
    held = [entry.message for entry in await exchanged.until_settled()]
    assert first.terminate(timeout=5) == 0
    await asyncio.to_thread(
        broker_topics.recreate_topic, exchanged.jurisdiction.kafka, _record_of(exchanged.jurisdiction)
    )
    replaced = [signed(Matter(exchanged, number).opened()) for number in (2, 3, 4)]
    await exchanged.append(*held[:-1], *replaced)
    second = exchanged.exchange("second")
    second.start()
    async with asyncio.timeout(_SETTLED_SECONDS):
        while second.running:  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.05)
    assert second.terminate() == BROKEN_RECORD


@pytest.fixture
async def shelter(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[Parts]:
    """The shelter's node, in a jurisdiction of its own: its inbox topic is damaged here."""
    async with node_parts(jurisdictions, tmp_path, ("shelter",)) as [parts]:
        yield parts


async def _consume(shelter: Parts, until: int | None) -> None:
    """Consume the inbox topic until this sequence is folded, or, without one, until the inbox stops by itself."""
    intake = build_intake(shelter.me, shelter.genesis_hash, shelter.pool, (), wakeups=shelter.wakeups)
    consumer = FaustInbox(
        shelter.town.jurisdiction.kafka_settings("shelter"),
        topic=in_topic(shelter.town.name, "shelter"),
        group=groups(shelter.town.name, "shelter")[0],
        intake=intake,
    )
    running = asyncio.create_task(consumer.run())

    async def is_over() -> bool:
        [position] = await shelter.query("node_position")
        return running.done() or position["sequence"] == until

    try:
        await eventually(is_over)
    finally:
        running.cancel()
        await asyncio.wait([running])
    if not running.cancelled():
        running.result()


@pytest.mark.faults
@pytest.mark.parametrize("grown", [0, 1, 4], ids=["shorter", "as long", "longer"])
async def test_an_inbox_topic_that_lost_entries_stops_the_inbox(shelter: Parts, grown: int) -> None:
    """A node compares the last entry that it read, stops with a finding, and does not crash again and again."""
    entries = [*shelter.founding(), shelter.post(Matter(shelter.town, 1).asked())]
    inbox = next(topic for topic in shelter.town.topics() if topic.name == in_topic(shelter.town.name, "shelter"))
    await shelter.town.deliver("shelter", *(entry.message for entry in entries))
    await _consume(shelter, shelter.sequence)
    others = [shelter.post(Matter(shelter.town, number).asked()) for number in range(2, 2 + grown)]
    await asyncio.to_thread(broker_topics.recreate_topic, shelter.town.jurisdiction.kafka, inbox)
    await shelter.town.deliver("shelter", *(entry.message for entry in (*entries[:-1], *others)))
    with pytest.raises(BrokenDelivery) as lost:
        await _consume(shelter, None)
    assert lost.value.fault is DeliveryFault.LOST
    assert len(await shelter.desk().referrals()) == 1


@pytest.mark.faults
@pytest.mark.parametrize("left", [0, 1])
async def test_the_doctor_names_what_an_inbox_topic_lost(shelter: Parts, left: int) -> None:
    """The finding has the number of entries and the last sequences; the advice is a command, and no restart."""
    entries = [*shelter.founding(), shelter.post(Matter(shelter.town, 1).asked())]
    inbox = next(topic for topic in shelter.town.topics() if topic.name == in_topic(shelter.town.name, "shelter"))
    await shelter.town.deliver("shelter", *(entry.message for entry in entries))
    await _consume(shelter, shelter.sequence)
    await asyncio.to_thread(broker_topics.recreate_topic, shelter.town.jurisdiction.kafka, inbox)
    await shelter.town.deliver("shelter", *(entry.message for entry in entries[:left]))
    write_settings(shelter.settings(), shelter.town.directory / "shelter.toml")
    found = await broker_findings(InstallationSettings(shelter.town.directory / "shelter.toml"))
    [position] = [finding for finding in found if finding.part == "shelter's database"]
    assert position.state == "bad"
    assert f"the broker lost {len(entries) - left} entries" in position.finding
    assert f"up to sequence {len(entries)}; the last one left has {left}" in position.finding
    assert "a restart does not help" in position.advice
    assert "handoff record restore" in position.advice
