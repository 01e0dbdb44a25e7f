"""Topics, users, ACLs and quotas at the broker, as handoff.record.topics and access declare them."""

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
from handoff.operations.setup.broker_topics import TIMEOUT_SECONDS, BrokerSetupError, apply_topics, settle
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.topics import topics

_SCRAM_ITERATIONS = 4096


async def apply(
    operator: KafkaOperator, jurisdiction: str, members: tuple[str, ...], passwords: Mapping[str, str]
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
        return await asyncio.to_thread(apply_topics, operator, topics(jurisdiction, members))
    except KafkaException as error:
        raise BrokerSetupError(f"{jurisdiction}: {error}") from error


def broker_count(client: AdminClient) -> int:
    """How many brokers the cluster knows now; 0 if none answers yet."""
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
    present = _present(client, users)
    settle(pending.values())
    settle(client.create_acls(list(wanted - present)).values() if wanted - present else ())
    surplus = [_exactly(binding) for binding in present - wanted]
    settle(client.delete_acls(surplus).values() if surplus else ())


def _present(client: AdminClient, users: Iterable[str]) -> set[AclBinding]:
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
