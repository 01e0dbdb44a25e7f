"""Set-up of the broker: topics, users, ACLs and quotas, as handoff.record.topics and access declare them."""

import asyncio
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from handoff.operations.setup.access import Grant, grants, principals, quotas
from handoff.operations.setup.broker_quotas import set_quotas
from handoff.operations.setup.broker_topics import TIMEOUT_SECONDS, BrokerSetupError, apply_topics, wait_for_all
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.topics import topics

_SCRAM_ITERATIONS = 4096


async def apply(
    operator: KafkaOperator, jurisdiction: str, members: tuple[str, ...], passwords: Mapping[str, str]
) -> tuple[str, ...]:
    """Bring the broker to the declared state and wait for leaders. Return the names of the created topics.

    `passwords` has one password for each principal's id. Idempotent. Raises BrokerSetupError.
    """
    try:
        # ACLs come before topics, so that a visible topic always has its ACLs.
        await asyncio.gather(
            asyncio.to_thread(_apply_access, operator, jurisdiction, members, passwords),
            set_quotas(operator, quotas(jurisdiction, members)),
        )
        return await asyncio.to_thread(apply_topics, operator, topics(jurisdiction, members))
    except KafkaException as error:
        raise BrokerSetupError(f"the topics of {jurisdiction} could not be set up: {error}") from error


def broker_count(client: AdminClient) -> int:
    """Return the number of brokers in the cluster; 0 if none responds."""
    try:
        return len(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return 0


def _apply_access(
    operator: KafkaOperator, jurisdiction: str, members: tuple[str, ...], passwords: Mapping[str, str]
) -> None:
    client = operator.client()
    users = {p.user: passwords[p.id] for p in principals(jurisdiction, members)}
    credentials = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
    pending = client.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user, credentials, word.encode()) for user, word in users.items()]
    )
    wanted = {_binding(grant) for grant in grants(jurisdiction, members)}
    existing = _existing(client, users)
    wait_for_all(pending.values())
    wait_for_all(client.create_acls(list(wanted - existing)).values() if wanted - existing else ())
    surplus = [_exactly(binding) for binding in existing - wanted]
    wait_for_all(client.delete_acls(surplus).values() if surplus else ())


def _existing(client: AdminClient, users: Iterable[str]) -> set[AclBinding]:
    everything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    ours = {f"User:{user}" for user in users}
    return {b for b in client.describe_acls(everything).result(TIMEOUT_SECONDS) if b.principal in ours}


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
