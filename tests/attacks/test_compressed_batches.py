"""Batches of a few KiB that unfold to hundreds of MiB in the broker, over several connections at the same time."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from handoff.adapters.kafka.client import Sender
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.message import Message
from handoff.record.topics import out_topic
from tests.support.parts.small_jurisdiction import plan
from tests.support.parts.stack import Jurisdictions, throwaway_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_MIB = 1024 * 1024
_IN_PARALLEL = 3
ONE_RECORD = (bytes(400 * _MIB),)
MANY_RECORDS = (bytes(16 * 1024),) * 16_000


@dataclass
class Attacked:
    """A broker of its own, which may run out of memory here, with a jurisdiction on it."""

    place: Jurisdiction
    log: Path

    @property
    def topic(self) -> str:
        return out_topic(self.place.name, "police")

    def set_compression(self, setting: str) -> None:
        entry = ConfigEntry("compression.type", setting, incremental_operation=AlterConfigOpType.SET)
        change = ConfigResource(ResourceType.TOPIC, self.topic, incremental_configs=[entry])
        # Kept until the answer is there: its request would end with it.
        client = self.place.kafka.client()
        [changed] = client.incremental_alter_configs([change]).values()
        changed.result(20)

    async def attack(self, values: tuple[bytes, ...]) -> set[str]:
        """Send one batch of these values over each of several connections. Return the distinct outcomes."""
        attempts = [asyncio.to_thread(self._send_batch, values) for _ in range(_IN_PARALLEL)]
        return {outcome for outcomes in await asyncio.gather(*attempts) for outcome in outcomes}

    def _send_batch(self, values: Iterable[bytes]) -> set[str]:
        settings, outcomes = self.place.kafka_settings("police"), set[str]()
        producer = Producer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "security.protocol": settings.security_protocol,
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": settings.username,
                "sasl.password": settings.password.get_secret_value(),
                "compression.type": "zstd",
                "message.max.bytes": 1_000_000_000,
                "batch.size": 1_000_000_000,
                "batch.num.messages": 1_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
                "linger.ms": 3_000,
                "retries": 0,
            }
        )
        for value in values:
            producer.produce(
                self.topic, value, on_delivery=lambda error, _: outcomes.add(error.name() if error else "stored")
            )
        producer.flush(120)
        return outcomes

    async def other_member_sends(self) -> None:
        sender = Sender(self.place.kafka_settings("shelter"), client_id="other")
        try:
            await sender.send(out_topic(self.place.name, "shelter"), [Message(b"k", b"an event")])
        finally:
            await sender.close()

    def out_of_memory(self) -> int:
        return self.log.read_text(encoding="utf-8", errors="replace").count("OutOfMemoryError")


@pytest.fixture(scope="module")
async def attacked() -> AsyncIterator[Attacked]:
    with throwaway_stack() as stack:
        await asyncio.to_thread(stack.start_kafka)
        place = await Jurisdictions(stack).on_broker(plan())
        yield Attacked(place, next(stack.directory.rglob("broker-1.log")))


@pytest.mark.parametrize("setting", ["uncompressed", "producer"])
async def test_a_record_that_unfolds_to_hundreds_of_mib_is_refused_before_it_is_unfolded(
    attacked: Attacked, setting: str
) -> None:
    """The broker has no memory error, and another member sends during the attack and after it."""
    attacked.set_compression(setting)
    errors = attacked.out_of_memory()
    outcomes, _ = await asyncio.gather(attacked.attack(ONE_RECORD), attacked.other_member_sends())
    assert outcomes == {"INVALID_RECORD"}
    await attacked.other_member_sends()
    assert attacked.out_of_memory() == errors


async def test_a_batch_of_many_records_stores_nothing_and_stops_no_other_member(attacked: Attacked) -> None:
    """Each record is small enough, and no setting of Kafka bounds their sum: the request fails, and it alone."""
    attacked.set_compression("uncompressed")
    outcomes, _ = await asyncio.gather(attacked.attack(MANY_RECORDS), attacked.other_member_sends())
    assert "stored" not in outcomes
    await attacked.other_member_sends()
