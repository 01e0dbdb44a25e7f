"""aiokafka: authentication of a principal, and a sender that keeps order over failures."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from handoff import telemetry
from handoff.config import KafkaSettings
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message, as_headers

# Below the topics' max.message.bytes, which applies to the whole batch.
MAX_BATCH_BYTES = 256 * 1024
MAX_REQUEST_BYTES = 1024 * 1024
REQUEST_TIMEOUT_MS = 10_000
# An idempotent producer repeats a request to a lost or frozen broker without limit and without an error.
DELIVERY_TIMEOUT_SECONDS = 3 * REQUEST_TIMEOUT_MS / 1000


class BrokerUnavailable(Exception):
    """The brokers did not acknowledge: send the same messages again later."""


def security(settings: KafkaSettings) -> dict[str, Any]:
    """Return the connection options of every aiokafka client of this principal."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": settings.username,
        "sasl_plain_password": settings.password.get_secret_value(),
        "ssl_context": ssl_context(settings),
    }


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context, or None if the settings place the broker on the loopback."""
    if settings.security_protocol != "SASL_SSL":
        return None
    return ssl.create_default_context(cafile=settings.ca_file)


def kafka_record(fetched: Any) -> KafkaRecord:
    """Convert a record that aiokafka's consumer returned."""
    message = Message(fetched.key, fetched.value, as_headers(fetched.headers))
    return KafkaRecord(fetched.offset, fetched.timestamp, message)


class Sender:
    """Sender of batches to one partition, in order, with every acknowledgement awaited.

    After an error it discards its producer: an idempotent one may fail permanently once the brokers were unavailable
    for longer than its timeout. Not safe for concurrent tasks.
    """

    def __init__(self, settings: KafkaSettings, *, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None

    async def send(self, topic: str, messages: Sequence[Message]) -> None:
        """Send in order and wait for all acknowledgements. Raises ``BrokerUnavailable``: any may be stored."""
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUT_SECONDS):
                producer = await self._connected()
                batches = _batches(producer, messages)
                await _all_of([await producer.send_batch(batch, topic, partition=0) for batch in batches])
        except (KafkaError, OSError, TimeoutError) as error:
            telemetry.SEND_FAILURES.inc()
            await self.close()
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **security(self._settings),
                client_id=self._client_id,
                enable_idempotence=True,
                acks="all",
                max_batch_size=MAX_BATCH_BYTES,
                max_request_size=MAX_REQUEST_BYTES,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
            await self._producer.start()
        return self._producer

    async def close(self) -> None:
        """Close the connection without waiting for messages in flight."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _drop(producer)


def _batches(producer: AIOKafkaProducer, messages: Sequence[Message]) -> Iterator[Any]:
    """Yield batches. Sending messages one by one takes several times as long."""
    batch = producer.create_batch()
    for message in messages:
        while batch.append(timestamp=None, key=message.key, value=message.value, headers=list(message.headers)) is None:
            yield batch
            batch = producer.create_batch()
    if messages:
        yield batch


async def _all_of(acknowledged: Sequence["asyncio.Future[Any]"]) -> None:
    results = await asyncio.gather(*acknowledged, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _drop(producer: AIOKafkaProducer) -> None:
    # Closing a producer without a broker would wait for its unsent batches, which are sent again anyway.
    with suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), 0.5)
        return
    with suppress(KafkaError, OSError):
        if producer._sender is not None:  # noqa: SLF001 - there is no public way to stop without flushing
            await producer._sender.close()  # noqa: SLF001 - as above
        await producer.client.close()
