"""Client quotas at the broker, set by a request of Kafka's protocol that no Python client supports yet."""

import ssl

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from handoff.operations.setup.access import Quota
from handoff.operations.setup.kafka_operator import KafkaOperator

_ENTITY = Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))
_API_KEY = 49


class _AlterClientQuotasResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _API_KEY
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", String("utf-8")), ("entity", _ENTITY))),
    )


class _AlterClientQuotasStruct(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _API_KEY
    API_VERSION = 0
    RESPONSE_TYPE = _AlterClientQuotasResponse
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", _ENTITY),
                ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterClientQuotas(Request[_AlterClientQuotasStruct]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = _API_KEY

    def __init__(self, quotas: tuple[Quota, ...]) -> None:
        self._entries = [([("user", quota.user)], _operations(quota)) for quota in quotas]

    def build(self, request_struct_class: type[_AlterClientQuotasStruct]) -> _AlterClientQuotasStruct:
        return request_struct_class(self._entries, False)  # noqa: FBT003 (the protocol's fields have no names)


def _operations(quota: Quota) -> list[tuple[str, float, bool]]:
    return [
        ("producer_byte_rate", float(quota.producer_byte_rate), False),
        ("consumer_byte_rate", float(quota.consumer_byte_rate), False),
        ("request_percentage", float(quota.request_percentage), False),
    ]


async def set_quotas(operator: KafkaOperator, quotas: tuple[Quota, ...]) -> None:
    """Set the quota of each principal. Raises aiokafka's typed errors."""
    client = AIOKafkaClient(
        bootstrap_servers=operator.bootstrap_servers,
        security_protocol=operator.protocol,
        ssl_context=_tls(operator),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=operator.username,
        sasl_plain_password=operator.password,
    )
    try:
        await client.bootstrap()
        response = await client.send(client.get_random_node(), _AlterClientQuotas(quotas))
    finally:
        await client.close()
    for code, message, _ in response.entries:
        if code:
            raise for_code(code)(message)


def _tls(operator: KafkaOperator) -> ssl.SSLContext | None:
    if operator.protocol != "SASL_SSL":
        return None
    return ssl.create_default_context(cafile=operator.ca_file)
