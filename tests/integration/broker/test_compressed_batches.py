"""A batch that is small on its way and large when it is unfolded, on topics of both settings.

With the declared setting the broker unfolds and refuses it, so that no reader has to. With the other one a batch of
records of a permitted size is stored as it came, and every reader unfolds it.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, UnknownError
from confluent_kafka.admin import NewTopic
from pydantic import SecretStr

from handoff.adapters.kafka.client import security
from handoff.config import KafkaSettings
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.topics import EXCHANGE, out_topic, topics
from tests.support.parts.small_jurisdiction import plan
from tests.support.parts.stack import Jurisdictions

VAST = bytes(48 * 1024 * 1024)
SMALL = (bytes(16 * 1024),) * 500


@pytest.fixture(scope="module")
async def town(broker_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await broker_jurisdictions.on_broker(plan())


def test_every_topic_is_declared_uncompressed(town: Jurisdiction) -> None:
    assert {dict(topic.config)["compression.type"] for topic in topics(town.name, town.members)} == {"uncompressed"}


async def test_the_broker_refuses_a_record_that_unfolds_to_more_than_the_topic_takes(town: Jurisdiction) -> None:
    """The next event of the same member and one of another are taken."""
    bombed = out_topic(town.name, "police")
    # aiokafka does not know the broker's answer INVALID_RECORD.
    with pytest.raises(UnknownError):
        await _send(town, "police", bombed, (VAST,), "gzip")
    for member in ("police", "shelter"):
        await _send(town, member, out_topic(town.name, member), (b"next",), None)
    assert await _unfolded(town, EXCHANGE, bombed) == len(b"next")


async def test_the_broker_refuses_a_batch_that_is_larger_without_compression(town: Jurisdiction) -> None:
    bombed = out_topic(town.name, "social_work")
    with pytest.raises(MessageSizeTooLargeError):
        await _send(town, "social_work", bombed, SMALL, "gzip")
    await _send(town, "social_work", bombed, (b"next",), None)
    assert await _unfolded(town, EXCHANGE, bombed) == len(b"next")


async def test_without_that_setting_a_reader_would_unfold_it(town: Jurisdiction) -> None:
    (declared,) = [topic for topic in topics(town.name, town.members) if topic.name == out_topic(town.name, "police")]
    scratch = f"{town.name}.scratch"
    config = {**dict(declared.config), "compression.type": "producer"}
    client = town.kafka.client()
    client.create_topics([NewTopic(scratch, 1, 1, config=config)])[scratch].result(10)
    await _send(town, None, scratch, SMALL, "gzip")
    assert await _unfolded(town, None, scratch) == sum(map(len, SMALL))
    client.delete_topics([scratch])[scratch].result(10)


async def _send(town: Jurisdiction, who: str | None, topic: str, values: Sequence[bytes], codec: str | None) -> None:
    size = 2 * len(VAST)
    async with AIOKafkaProducer(
        **_login(town, who), compression_type=codec, max_request_size=size, max_batch_size=size
    ) as producer:
        batch = producer.create_batch()
        for value in values:
            batch.append(key=None, value=value, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=0))


async def _unfolded(town: Jurisdiction, who: str | None, topic: str) -> int:
    """Bytes of the values that a reader of the whole topic has in its memory."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(**_login(town, who), enable_auto_commit=False) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        found = await consumer.getmany(partition, timeout_ms=10_000)
        return sum(len(record.value) for record in found[partition])


def _login(town: Jurisdiction, who: str | None) -> dict[str, Any]:
    """The login of a principal, or of the operator."""
    operator = town.kafka
    settings = (
        town.kafka_settings(who)
        if who is not None
        else KafkaSettings(
            bootstrap_servers=operator.bootstrap_servers,
            username=operator.username,
            password=SecretStr(operator.password),
            security_protocol=operator.protocol,
            ca_file=operator.ca_file,
        )
    )
    return security(settings)
