"""The broker's set-up: topics, users, rights and quotas, as handoff.record.topics declares them."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from handoff.adapters.kafka_operator import Operator
from handoff.adapters.kafka_quotas import set_quotas
from handoff.record.topics import Grant, Topic, grants, principals, quotas, topics

_TIMEOUT_SECONDS = 30.0
_SCRAM_ITERATIONS = 4096


class BrokerSetupError(Exception):
    """The broker could not be set up as declared; it is safe to try again."""


async def apply(
    operator: Operator, jurisdiction: str, members: tuple[str, ...], passwords: Mapping[str, str]
) -> tuple[str, ...]:
    """Brings the broker to what is declared and waits for leaders; gives the names of the topics it created.

    `passwords` has one for each principal id. Idempotent. Raises BrokerSetupError.
    """
    try:
        # Rights come before topics: whoever sees a topic then already sees who may use it.
        await asyncio.gather(
            asyncio.to_thread(_apply_access, operator, jurisdiction, members, passwords),
            set_quotas(operator, quotas(jurisdiction, members)),
        )
        return await asyncio.to_thread(_apply_topics, operator, topics(jurisdiction, members))
    except KafkaException as error:
        raise BrokerSetupError(f"{jurisdiction}: {error}") from error


def brokers_seen(client: AdminClient) -> int:
    """How many brokers the cluster knows now; 0 if none answers yet."""
    try:
        return len(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return 0


def _apply_access(
    operator: Operator, jurisdiction: str, members: tuple[str, ...], passwords: Mapping[str, str]
) -> None:
    client = operator.client()
    users = {p.user: passwords[p.id] for p in principals(jurisdiction, members)}
    credentials = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
    pending = client.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user, credentials, word.encode()) for user, word in users.items()]
    )
    wanted = {_binding(grant) for grant in grants(jurisdiction, members)}
    present = _present(client, users)
    _settle(pending.values())
    _settle(client.create_acls(list(wanted - present)).values() if wanted - present else ())
    surplus = [_exactly(binding) for binding in present - wanted]
    _settle(client.delete_acls(surplus).values() if surplus else ())


def _present(client: AdminClient, users: Iterable[str]) -> set[AclBinding]:
    everything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    ours = {f"User:{user}" for user in users}
    return {b for b in client.describe_acls(everything).result(_TIMEOUT_SECONDS) if b.principal in ours}


def _binding(grant: Grant) -> AclBinding:
    return AclBinding(
        ResourceType[grant.resource_type.upper()],
        grant.resource,
        ResourcePatternType.LITERAL,
        f"User:{grant.user}",
        "*",
        AclOperation[grant.operation],
        AclPermissionType.ALLOW,
    )


def _exactly(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


def _apply_topics(operator: Operator, wanted: tuple[Topic, ...]) -> tuple[str, ...]:
    client = operator.client()
    seen = client.list_topics(timeout=_TIMEOUT_SECONDS)
    missing = [topic for topic in wanted if topic.name not in seen.topics]
    # Three copies where the cluster can hold them.
    copies = min(3, len(seen.brokers))
    if missing:
        _settle(client.create_topics([_new_topic(topic, copies) for topic in missing]).values())
    _mend_configs(client, [topic for topic in wanted if topic.name in seen.topics])
    _wait_for_leaders(client, {topic.name for topic in wanted})
    return tuple(topic.name for topic in missing)


def _new_topic(topic: Topic, copies: int) -> NewTopic:
    config = {**dict(topic.config), "min.insync.replicas": str(min(2, copies))}
    return NewTopic(topic.name, topic.partitions, copies, config=config)


def _mend_configs(client: AdminClient, existing: list[Topic]) -> None:
    if not existing:
        return
    described = client.describe_configs([ConfigResource(ResourceType.TOPIC, t.name) for t in existing])
    now = {resource.name: future.result(_TIMEOUT_SECONDS) for resource, future in described.items()}
    differences = (_difference(topic, now[topic.name]) for topic in existing)
    # By identity: a ConfigResource of incremental changes counts as empty.
    changes = [difference for difference in differences if difference is not None]
    if changes:
        _settle(client.incremental_alter_configs(changes).values())


def _difference(topic: Topic, now: Mapping[str, ConfigEntry]) -> ConfigResource | None:
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in topic.config
        if now[key].value != value
    ]
    if not entries:
        return None
    return ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)


def _wait_for_leaders(client: AdminClient, names: set[str]) -> None:
    """Producing right after creation would otherwise begin with retries."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while missing := names - _led(client):
        if time.monotonic() > deadline:
            raise BrokerSetupError(f"no leader yet for {', '.join(sorted(missing))}")
        time.sleep(0.02)


def _led(client: AdminClient) -> set[str]:
    seen = client.list_topics(timeout=_TIMEOUT_SECONDS).topics
    return {
        name
        for name, topic in seen.items()
        if topic.partitions and all(partition.leader >= 0 for partition in topic.partitions.values())
    }


def _settle(futures: Iterable["Future[Any]"]) -> None:
    """Waits for each answer; what exists already is as good as created."""
    for future in futures:
        try:
            future.result(_TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
