"""A topic copied over itself has the offsets, times, keys and headers that it had, on the real broker."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka.admin import ConfigResource, ResourceType

from handoff.adapters.kafka.client import Sender, security
from handoff.operations.setup import broker_topics
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.operations.topic_copy import TopicCopy, TopicCopyMismatch, apply_copy, read_groups, read_topic
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import EXCHANGE, Topic, client_group, groups, topics
from tests.support.parts.small_jurisdiction import plan
from tests.support.parts.stack import Jurisdictions

WORDS = [Message(b"k%d" % n, b"value %d" % n, (("signature", b"s" * n), ("none", None))) for n in range(700)]


@pytest.fixture
async def town(broker_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await broker_jurisdictions.on_broker(plan())


def topic_of(town: Jurisdiction, name: str) -> Topic:
    return next(topic for topic in topics(town.name, town.members) if topic.name.endswith(name))


async def append(town: Jurisdiction, principal: str, topic: Topic, messages: list[Message]) -> None:
    sender = Sender(town.kafka_settings(principal), client_id="test")
    await sender.send(topic.name, messages)
    await sender.close()


async def held(town: Jurisdiction, topic: Topic) -> list[KafkaRecord]:
    return [entry async for entry in read_topic(town.kafka, topic.name)]


async def each(entries: list[KafkaRecord]) -> AsyncIterator[KafkaRecord]:
    for entry in entries:
        yield entry


async def test_a_copied_record_has_its_offsets_and_times_and_is_stamped_by_the_broker_again(
    town: Jurisdiction, tmp_path: Path
) -> None:
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS)
    before = await held(town, record)
    changed = [replace(e, message=replace(e.message, value=b"-")) if e.offset == 300 else e for e in before]
    await copy.write({}, each(changed))
    await apply_copy(town.kafka, record, copy)
    assert await held(town, record) == changed
    assert not copy.exists
    client = town.kafka.client()
    (described,) = client.describe_configs([ConfigResource(ResourceType.TOPIC, record.name)]).values()
    assert described.result(10)["message.timestamp.type"].value == "LogAppendTime"
    await append(town, EXCHANGE, record, WORDS[:1])
    last = (await held(town, record))[-1]
    assert (last.offset, last.message) == (700, WORDS[0])
    assert last.appended_ms >= before[-1].appended_ms


async def test_a_copied_topic_without_its_beginning_keeps_offsets_and_its_groups_continue(
    town: Jurisdiction, tmp_path: Path
) -> None:
    out, copy = topic_of(town, ".out.police"), TopicCopy(tmp_path / "copy")
    await append(town, "police", out, WORDS)
    broker_topics.delete_records_before(town.kafka, out.name, 600)
    group = groups(town.name, EXCHANGE)[0]
    broker_topics.commit_offset(town.kafka, group, out.name, 650)
    before, committed = await held(town, out), await read_groups(town.kafka, town.name, out)
    assert (before[0].offset, committed) == (600, {group: 650})
    await copy.write(committed, each(before))
    await apply_copy(town.kafka, out, copy)
    assert await held(town, out) == before
    assert await read_groups(town.kafka, town.name, out) == {group: 650}


async def test_a_members_own_client_does_not_stop_the_replacement_of_its_inbox(
    town: Jurisdiction, tmp_path: Path
) -> None:
    """No operator can stop it. It keeps its position in memory; one that is stopped gets its offset back."""
    inbox, copy = topic_of(town, ".in.police"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, inbox, WORDS[:9])
    running, stopped = client_group(town.name, "police"), groups(town.name, "police")[0]
    broker_topics.commit_offset(town.kafka, stopped, inbox.name, 5)
    before = await held(town, inbox)
    settings = security(town.kafka_settings("police"))
    async with AIOKafkaConsumer(inbox.name, **settings, group_id=running, auto_offset_reset="earliest") as client:
        await client.getmany(timeout_ms=10_000)
        await client.commit()
        await copy.write(await read_groups(town.kafka, town.name, inbox), each(before))
        await apply_copy(town.kafka, inbox, copy)
        assert await held(town, inbox) == before
        assert (await read_groups(town.kafka, town.name, inbox))[stopped] == 5
    await copy.write({running: 7}, each(before))
    await apply_copy(town.kafka, inbox, copy)
    assert (await read_groups(town.kafka, town.name, inbox))[running] == 7


async def test_a_copy_that_was_interrupted_is_put_back_from_its_file(town: Jurisdiction, tmp_path: Path) -> None:
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:20])
    before = await held(town, record)
    await copy.write({}, each(before))
    broker_topics.recreate_topic(town.kafka, record)
    assert await held(town, record) == []
    await apply_copy(town.kafka, record, copy)
    assert await held(town, record) == before


async def test_a_copy_with_a_hole_is_refused_and_its_file_stays(town: Jurisdiction, tmp_path: Path) -> None:
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:5])
    before = await held(town, record)
    await copy.write({}, each([before[0], before[2]]))
    with pytest.raises(TopicCopyMismatch, match="offset 2"):
        await apply_copy(town.kafka, record, copy)
    assert copy.exists
