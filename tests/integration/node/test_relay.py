"""Relay of a node's outbox, on a real broker and a real database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from handoff.adapters.kafka.client import BrokerUnavailable, Sender, security
from handoff.domain.decide import About
from handoff.domain.founding import key_registration
from handoff.domain.own_keys import OwnKeys
from handoff.leadership import LeadershipLost
from handoff.node.outbox.relay import OutboxRelay
from handoff.record import codec, message
from handoff.record.codes import RefusalCode
from handoff.record.envelope import EXCHANGE
from handoff.record.events.directory import KeyRevoked, SubmissionRefused
from handoff.record.message import KEY_ID_HEADER, Message, as_headers
from handoff.record.signing import SigningKey, sha256
from handoff.record.topics import out_topic
from tests.support.dsl.builders import key_of
from tests.support.parts.node_parts import OPENING, Parts, request_a_place
from tests.support.probes.call_counter import CallCounter
from tests.support.probes.eventually import eventually


class Topic:
    """Consume the police's topic from its end, as the exchange does."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.found: list[Message] = []

    async def until(self, count: int, seconds: float = 20) -> list[Message]:
        """The first ``count`` messages, or what came in ``seconds``."""
        deadline = asyncio.get_running_loop().time() + seconds
        while len(self.found) < count and asyncio.get_running_loop().time() < deadline:
            for records in (await self._consumer.getmany(timeout_ms=100)).values():
                self.found += [Message(r.key, r.value, as_headers(r.headers)) for r in records]
        return self.found

    async def is_empty(self) -> bool:
        """Return whether nothing was published since the test began."""
        (end,) = (await self._consumer.end_offsets(self._consumer.assignment())).values()
        (position,) = [await self._consumer.position(partition) for partition in self._consumer.assignment()]
        return bool(end == position) and not self.found


@pytest.fixture
async def topic(police: Parts) -> AsyncIterator[Topic]:
    consumer = AIOKafkaConsumer(**security(police.town.jurisdiction.kafka_settings(EXCHANGE)), enable_auto_commit=False)
    partition = TopicPartition(out_topic(police.town.name, "police"), 0)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.seek_to_end(partition)
        await consumer.position(partition)
        yield Topic(consumer)
    finally:
        await consumer.stop()


@asynccontextmanager
async def relaying(relay: OutboxRelay) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a relay during the block."""
    task = asyncio.create_task(relay.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def disk_full_for_updates(parts: Parts) -> AsyncIterator[None]:
    """The outbox can be read, and cannot be written."""
    await parts.execute_as_owner("fill_disk_for_updates")
    try:
        yield
    finally:
        await parts.execute_as_owner("free_disk")


async def is_marked(parts: Parts) -> bool:
    [row] = await parts.query("outbox_sent_marks")
    return bool(row["marked"])


def ids(messages: Sequence[Message]) -> list[UUID]:
    return [codec.decode(m.value or b"").id for m in messages]


async def test_a_decision_is_published_signed_and_in_order(police: Parts, topic: Topic) -> None:
    async with relaying(police.relay(police.sender())):
        _, _, events = await request_a_place(police.desk())
        found = await topic.until(3)
    assert ids(found) == list(events)
    key = key_of("police")
    for published in found:
        event = codec.decode(published.value or b"")
        assert published == message.sign(event.subject, published.value or b"", key)
        assert published.header(KEY_ID_HEADER) == key.id.encode()


async def test_the_relay_sends_nothing_before_the_own_key_is_in_force(police: Parts, topic: Topic) -> None:
    await police.wipe()
    await police.desk().publish([police.town.event(police.town.genesis.data, emitter="coordination")])
    opened = police.town.event(OPENING.makes(**OPENING.model_dump(exclude={"occurred_at"})))
    await police.desk().publish([opened])
    async with relaying(police.relay(police.sender())):
        await topic.until(2, 1)
        assert [codec.decode(m.value or b"").type for m in topic.found] == ["jurisdiction.founded.v1"]
        await (await police.intake()).handle(police.founding())
        assert ids(await topic.until(2))[1:] == [opened.id]


async def test_a_sent_unmarked_event_is_sent_again_as_the_same_bytes(police: Parts, topic: Topic) -> None:
    opened = await police.desk().submit(OPENING, About())
    async with relaying(police.relay(police.sender())):
        await topic.until(1)
    await police.query("mark_outbox_unsent")
    async with relaying(police.relay(police.sender())):
        first, second = await topic.until(2)
    assert first == second
    assert ids([first]) == list(opened.events)


async def test_an_event_left_unmarked_by_a_full_disk_is_not_sent_again(police: Parts, topic: Topic) -> None:
    opened = await police.desk().submit(OPENING, About())
    async with disk_full_for_updates(police), relaying(police.relay(police.sender())):
        assert ids(await topic.until(2, seconds=3)) == list(opened.events)
        await police.execute_as_owner("free_disk")
        await eventually(lambda: is_marked(police))
    assert len(topic.found) == 1


async def test_an_echoed_event_is_not_sent_again(police: Parts, topic: Topic) -> None:
    async with relaying(police.relay(police.sender(), resend_seconds=0.2)):
        await police.desk().submit(OPENING, About())
        await topic.until(1)
        await (await police.intake()).handle(await police.echoes())
        sent = len(await topic.until(100, 0.5))
        assert len(await topic.until(100, 1)) == sent


async def test_an_event_without_echo_is_resent_at_growing_intervals(police: Parts, topic: Topic) -> None:
    await police.desk().submit(OPENING, About())

    async def repeated() -> bool:
        (row,) = await police.query("outbox_attempts")
        return bool(row["attempts"] >= 2)

    # A message is on the topic before its row is marked, so the row is awaited too.
    async with relaying(police.relay(police.sender(), resend_seconds=0.1)):
        await topic.until(2)
        await eventually(repeated)
    (row,) = await police.query("outbox_attempts")
    assert row["pause"].total_seconds() == pytest.approx(0.1 * 4 ** (row["attempts"] - 1))


async def test_an_event_overtaken_by_a_later_one_was_lost_and_is_resent(police: Parts, topic: Topic) -> None:
    desk, intake = police.desk(), await police.intake()
    async with relaying(police.relay(police.sender())):
        lost = await desk.submit(OPENING, About())
        await topic.until(1)
        await until_marked(police, 1)
        await desk.submit(OPENING, About())
        await topic.until(2)
        await until_marked(police, 2)
        _, later = await police.echoes()
        police.sequence -= 2
        await intake.handle([police.post(codec.decode(later.message.value or b""))])
        assert ids(await topic.until(3))[2:] == list(lost.events)


async def test_an_echo_of_the_first_sending_does_not_settle_events_sent_in_between(police: Parts, topic: Topic) -> None:
    desk, intake = police.desk(), await police.intake()
    async with relaying(police.relay(police.sender())):
        twice = await desk.submit(OPENING, About())
        await topic.until(1)
        await until_marked(police, 1)
        between = await desk.submit(OPENING, About())
        await topic.until(2)
        await until_marked(police, 2)
        await police.query("make_resend_due", twice.events[0])
        await topic.until(3)
        await intake.handle((await police.echoes())[:1])
        assert ids(await topic.until(4, 2)) == [*twice.events, *between.events, *twice.events]


async def test_an_event_refused_under_a_revoked_key_is_signed_again_with_the_next(police: Parts, topic: Topic) -> None:
    """The revocation is on the record before the event. It has the same bytes under the next key."""
    following = SigningKey(b"n" * 32)
    registration = key_registration(police.town.name, "police", following)
    intake, keys = await police.intake(), OwnKeys("police", key_of("police"), following)
    await police.desk().submit(OPENING, About())
    async with relaying(police.relay(police.sender(), keys=keys)):
        (first,) = await topic.until(1)
        await until_marked(police, 1)
        refusal = SubmissionRefused(
            member="police", value_hashes=(sha256(first.value or b""),), code=RefusalCode.KEY_NOT_IN_FORCE
        )
        await intake.handle(
            [
                police.post(police.town.event(KeyRevoked(key=key_of("police").id), emitter="coordination")),
                police.post(police.town.event(refusal, emitter=EXCHANGE)),
            ]
        )
        assert (await police.desk().pending()).unechoed == 1
        await intake.handle([police.post(police.town.event(registration, emitter="coordination"))])
        _, second = await topic.until(2)
    assert second == message.sign(codec.decode(first.value or b"").subject, first.value or b"", following)


async def until_marked(police: Parts, count: int) -> None:
    async def marked() -> bool:
        return len(await police.query("sent_outbox_rows")) >= count

    await eventually(marked)


async def test_a_paused_relay_publishes_nothing_until_an_operator_resumes_it(police: Parts, topic: Topic) -> None:
    await police.store.pause(paused=True)
    relay = police.relay(police.sender())
    polls = CallCounter(relay.store, "due")
    async with relaying(relay):
        await police.desk().submit(OPENING, About())
        # The first poll may precede the command. After the third one, the second would have been published.
        await polls.more(3)
        assert await topic.is_empty()
        await police.store.pause(paused=False)
        assert len(await topic.until(1)) == 1


async def test_a_relay_that_was_replaced_stops(police: Parts, topic: Topic) -> None:
    async with relaying(police.relay(police.sender())) as first:
        await police.desk().submit(OPENING, About())
        await topic.until(1)
        async with relaying(police.relay(police.sender())):
            await police.desk().submit(OPENING, About())
            with pytest.raises(LeadershipLost):
                await asyncio.wait_for(first, 10)


async def test_commands_are_stored_while_the_brokers_are_unavailable(police: Parts, topic: Topic) -> None:
    nowhere = police.town.jurisdiction.kafka_settings("police").model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(BrokerUnavailable):
        await Sender(nowhere, client_id="police").send(out_topic(police.town.name, "police"), [])
    publisher = Sender(nowhere, client_id="police")
    attempts = CallCounter(publisher, "send")
    async with relaying(police.relay(publisher)) as relay:
        await police.desk().submit(OPENING, About())
        await attempts.more(2)
        assert not relay.done()
    async with relaying(police.relay(police.sender())):
        assert len(await topic.until(1)) == 1
