"""Raw requests of one principal to the broker, each answered by the broker's own error codes.

Client libraries hide refusals (a consumer of a forbidden topic receives nothing), so these are raw requests. One
request covers every topic.
"""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.admin import (
    AlterConfigsRequest,
    CreateAclsRequest,
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteTopicsRequest,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

Codes = dict[str, int]

GRANTED = 0
TOPIC_REFUSED = 29
GROUP_REFUSED = 30
CLUSTER_REFUSED = 31
TRANSACTIONAL_ID_REFUSED = 53
LOGIN_REFUSED = 58
MECHANISM_UNKNOWN = 33
# Answer of a group to a new member that is allowed to join.
MEMBER_ID_REQUIRED = 79

# A broker's answer while it fetches its next block of producer ids.
_STILL_LOADING = 14
_TIMEOUT_MS = 5_000
_TOPIC, _ANY, _LITERAL, _ALL, _ALLOW = 2, "*", 3, 2, 3


class BrokerProbe:
    """Connection of one principal."""

    def __init__(self, bootstrap_servers: str, user: str, password: str) -> None:
        self._client = AIOKafkaClient(
            bootstrap_servers=bootstrap_servers,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=user,
            sasl_plain_password=password,
        )

    async def __aenter__(self) -> Self:
        await self._client.bootstrap()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def describe(self, topics: Iterable[str]) -> Codes:
        answer = await self._ask(MetadataRequest(list(topics), allow_auto_topic_creation=False))
        return {topic: code for code, topic, *_ in answer.topics}

    async def list_offsets(self, topics: Iterable[str]) -> Codes:
        """Also how one would watch another's pace."""
        answer = await self._ask(OffsetRequest(-1, 0, [(topic, [(0, -1)]) for topic in topics]))
        return {topic: code for topic, [(_, code, *_)] in answer.topics}

    async def read(self, topics: Iterable[str]) -> Codes:
        answer = await self._ask(FetchRequest(0, 0, 1 << 20, 0, [(t, [(0, 0, 1 << 10)]) for t in topics]))
        return {topic: code for topic, [(_, code, *_)] in answer.topics}

    async def write(self, topics: Iterable[str]) -> Codes:
        request = ProduceRequest(None, -1, _TIMEOUT_MS, [(topic, [(0, _batch())]) for topic in topics])
        answer = await self._ask(request)
        return {topic: code for topic, [(_, code, *_)] in answer.topics}

    async def write_wherever_led(self, topic: str) -> int:
        """The leader's answer in a cluster of several, -1 if it could not be asked."""
        await self._client.force_metadata_update()
        leader = self._client.cluster.leader_for_partition(TopicPartition(topic, 0))
        if leader is None or leader < 0 or not await self._client.ready(leader):
            return -1
        answer = await self._client.send(leader, ProduceRequest(None, -1, _TIMEOUT_MS, [(topic, [(0, _batch())])]))
        [(_, [(_, code, *_)])] = answer.topics
        return int(code)

    async def create(self, topics: Iterable[str]) -> Codes:
        """Asks whether the topics could be created, and creates none."""
        wanted: list[Any] = [(topic, 1, 1, [], []) for topic in topics]
        answer = await self._ask(CreateTopicsRequest(wanted, _TIMEOUT_MS, validate_only=True))
        return {topic: code for topic, code, _ in answer.topic_errors}

    async def alter_config(self, topics: Iterable[str]) -> Codes:
        wanted = [(_TOPIC, topic, [("retention.ms", "1000")]) for topic in topics]
        answer = await self._ask(AlterConfigsRequest(wanted, validate_only=True))
        return {topic: code for code, _, _, topic in answer.resources}

    async def add_partitions(self, topics: Iterable[str]) -> Codes:
        wanted: list[Any] = [(topic, (2, None)) for topic in topics]
        answer = await self._ask(CreatePartitionsRequest(wanted, _TIMEOUT_MS, validate_only=True))
        return {topic: code for topic, code, _ in answer.topic_errors}

    async def delete(self, topics: Iterable[str]) -> Codes:
        """Really deletes what it may."""
        answer = await self._ask(DeleteTopicsRequest(list(topics), _TIMEOUT_MS))
        return dict(answer.topic_error_codes)

    async def join(self, groups: Iterable[str]) -> Codes:
        codes = {}
        for group in groups:
            request = JoinGroupRequest(group, 10_000, 10_000, "", None, "consumer", [("range", b"")])
            codes[group] = (await self._ask(request)).error_code
        return codes

    async def wait_for_groups(self) -> None:
        """The first question for a group makes the broker create its offsets topic."""
        for _ in range(200):
            if (await self._ask(FindCoordinatorRequest("any", 0))).error_code == GRANTED:
                return
            await asyncio.sleep(0.05)
        raise TimeoutError

    async def begin_transactions_as(self, transactional_id: str) -> int:
        return int((await self._ask(InitProducerIdRequest(transactional_id, 60_000))).error_code)

    async def become_idempotent(self) -> int:
        while True:
            code = (await self._ask(InitProducerIdRequest(None, 60_000))).error_code
            if code != _STILL_LOADING:
                return int(code)

    async def grant_all_to(self, user: str) -> int:
        """Asks for every right on every topic for `user`."""
        request = CreateAclsRequest(_TOPIC, _ANY, _LITERAL, f"User:{user}", _ANY, _ALL, _ALLOW)
        [(code, _)] = (await self._ask(request)).creation_responses
        return int(code)

    async def _ask(self, request: Any) -> Any:
        return await self._client.send(self._client.get_random_node(), request)


async def login(port: int, mechanism: str, user: str, password: str) -> int:
    """The code with which a listener on loopback answers an attempt to log in."""
    try:
        connection = await create_conn(
            "127.0.0.1",
            port,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=mechanism,
            sasl_plain_username=user,
            sasl_plain_password=password,
        )
    except KafkaError as error:
        return int(error.errno)
    connection.close()
    return GRANTED


async def hangs_up_on_the_nameless(port: int) -> bool:
    """Return whether a loopback listener closes the connection on a request without authentication."""
    connection = await create_conn("127.0.0.1", port)
    try:
        await connection.send(CreateTopicsRequest([], _TIMEOUT_MS, validate_only=True))
    except KafkaConnectionError:
        return True
    finally:
        connection.close()
    return False


def _batch() -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 10,
    )
    builder.append(0, timestamp=1, key=b"case", value=b"probe", headers=[])
    return bytes(builder.build())
