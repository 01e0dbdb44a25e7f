"""A topic copied over itself has the offsets, times, keys and headers that it had, on the real broker."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka.admin import ConfigResource, ResourceType

from handoff.adapters.kafka.client import Sender, security
from handoff.operations import topic_copy
from handoff.operations.setup import broker_topics
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.operations.topic_copy import TopicCopy, TopicCopyMismatch, apply_copy, read_groups, read_topic
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.record.topics import EXCHANGE, Topic, client_group, groups, topics
from tests.support.parts.small_jurisdiction import plan
from tests.support.parts.stack import Jurisdictions

pytestmark = pytest.mark.slow

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
    await copy.write({}, each(before), each(changed))
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
    await copy.write(committed, each(before), each(before))
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
        await copy.write(await read_groups(town.kafka, town.name, inbox), each(before), each(before))
        await apply_copy(town.kafka, inbox, copy)
        assert await held(town, inbox) == before
        assert (await read_groups(town.kafka, town.name, inbox))[stopped] == 5
    committed = await read_groups(town.kafka, town.name, inbox)
    assert committed[running] == 9
    changed = [replace(e, message=replace(e.message, value=b"-")) for e in before]
    await copy.write(committed, each(before), each(changed))
    await apply_copy(town.kafka, inbox, copy)
    assert await read_groups(town.kafka, town.name, inbox) == committed


async def test_a_copy_that_was_interrupted_is_put_back_from_its_file(town: Jurisdiction, tmp_path: Path) -> None:
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:20])
    before = await held(town, record)
    await copy.write({}, each(before), each(before))
    broker_topics.recreate_topic(town.kafka, record)
    assert await held(town, record) == []
    await apply_copy(town.kafka, record, copy)
    assert await held(town, record) == before


async def test_a_topic_can_be_shortened(town: Jurisdiction, tmp_path: Path) -> None:
    """The new content is the beginning of the old one, which does not count as replaced already."""
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:5])
    before = await held(town, record)
    await copy.write({}, each(before), each(before[:3]))
    await apply_copy(town.kafka, record, copy)
    assert await held(town, record) == before[:3]


async def test_a_copy_with_a_hole_is_refused_and_its_file_stays(town: Jurisdiction, tmp_path: Path) -> None:
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:5])
    before = await held(town, record)
    await copy.write({}, each(before), each([before[0], before[2]]))
    with pytest.raises(TopicCopyMismatch, match="offset 2"):
        await apply_copy(town.kafka, record, copy)
    assert copy.exists


class Killed(Exception):
    """The process ended at this point."""


class KillAt:
    """Ends the process before or after the ``point``-th step of a replacement, counted from 0."""

    def __init__(self, point: int) -> None:
        self._left = point

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("recreate_topic", "delete_records_before", "restore_timestamps", "commit_offset", "delete_topic"):
            monkeypatch.setattr(broker_topics, name, self._around(getattr(broker_topics, name)))
        monkeypatch.setattr(topic_copy, "_send_batch", self._around_async(topic_copy._send_batch))
        monkeypatch.setattr(TopicCopy, "remove", self._around(TopicCopy.remove))

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed

    def _around(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def killed(*arguments: Any) -> Any:
            self._step()
            result = action(*arguments)
            self._step()
            return result

        return killed

    def _around_async(self, action: Callable[..., Any]) -> Callable[..., Any]:
        async def killed(*arguments: Any) -> Any:
            self._step()
            result = await action(*arguments)
            self._step()
            return result

        return killed


@pytest.mark.parametrize(
    "points",
    [
        # While the second topic is filled, before and after the topic is deleted, while it is filled, and afterwards.
        pytest.param((4, 9, 10, 14, 21), id="some points"),
        pytest.param(range(100), id="every point", marks=[pytest.mark.faults, pytest.mark.timeout(600)]),
    ],
)
async def test_a_replacement_that_is_interrupted_at_any_point_is_completed(
    town: Jurisdiction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: Sequence[int]
) -> None:
    """A topic without its beginning, in several batches, with a group: killed before or after a step."""
    monkeypatch.setattr(topic_copy, "_BATCH", 5)
    out, copy, group = topic_of(town, ".out.police"), TopicCopy(tmp_path / "copy"), groups(town.name, EXCHANGE)[0]
    await append(town, "police", out, WORDS[:11])
    broker_topics.delete_records_before(town.kafka, out.name, 4)
    broker_topics.commit_offset(town.kafka, group, out.name, 9)
    for point in points:
        before = await held(town, out)
        changed = [replace(e, message=replace(e.message, value=b"%d" % point)) for e in before]
        await copy.write({group: 9}, each(before), each(changed))
        completed = await _completes(town, out, copy, KillAt(point), monkeypatch)
        assert copy.exists or await held(town, out) == changed, f"point {point}"
        if not completed and copy.exists:
            await apply_copy(town.kafka, out, copy)
        assert await held(town, out) == changed, f"point {point}"
        assert await read_groups(town.kafka, town.name, out) == {group: 9}
        assert not broker_topics.topic_exists(town.kafka, replace(out, name=f"{out.name}.copy"))
        assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a test may wait for its disk
        if completed:
            break
    assert completed is (len(points) == 100), "the last point is behind the last step"


async def _completes(
    town: Jurisdiction, topic: Topic, copy: TopicCopy, kill: KillAt, monkeypatch: pytest.MonkeyPatch
) -> bool:
    with monkeypatch.context() as patched:
        kill.patch(patched)
        try:
            await apply_copy(town.kafka, topic, copy)
        except Killed:
            return False
    return True


async def test_nothing_is_deleted_before_the_second_topic_is_complete(
    town: Jurisdiction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that refuses an entry leaves the topic as it was."""
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:9])
    before = await held(town, record)
    await copy.write({}, each(before), each([replace(e, message=replace(e.message, value=b"-")) for e in before]))

    async def refuse(*_arguments: object) -> None:
        raise TopicCopyMismatch("refused")

    monkeypatch.setattr(topic_copy, "_send_batch", refuse)
    with pytest.raises(TopicCopyMismatch, match="refused"):
        await apply_copy(town.kafka, record, copy)
    assert await held(town, record) == before
    assert copy.exists


async def test_a_copy_of_a_topic_that_has_grown_since_is_discarded(town: Jurisdiction, tmp_path: Path) -> None:
    """After an interruption the services were started, against the runbook: their entries are kept."""
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:9])
    before = await held(town, record)
    await copy.write({}, each(before), each([replace(e, message=replace(e.message, value=b"-")) for e in before]))
    await append(town, EXCHANGE, record, WORDS[9:11])
    grown = await held(town, record)
    await apply_copy(town.kafka, record, copy)
    assert await held(town, record) == grown
    assert not copy.exists


async def test_a_topic_that_is_neither_the_old_nor_the_new_content_is_left_alone(
    town: Jurisdiction, tmp_path: Path
) -> None:
    record, copy = topic_of(town, ".record"), TopicCopy(tmp_path / "copy")
    await append(town, EXCHANGE, record, WORDS[:9])
    before = await held(town, record)
    await copy.write({}, each(before), each([replace(e, message=replace(e.message, value=b"-")) for e in before]))
    broker_topics.recreate_topic(town.kafka, record)
    await append(town, EXCHANGE, record, WORDS[20:22])
    other = await held(town, record)
    with pytest.raises(TopicCopyMismatch, match="a person has to examine both"):
        await apply_copy(town.kafka, record, copy)
    assert await held(town, record) == other
    assert copy.exists
