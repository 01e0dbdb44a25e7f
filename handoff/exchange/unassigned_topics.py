"""Detection of outgoing topics that are assigned to no exchange.

With static membership an exchange that returns within its session gets its previous topics, without a rebalance. The
topic of a member admitted in between is then unassigned.
"""

import re

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from handoff.adapters.kafka.client import security
from handoff.config import KafkaSettings


async def unassigned_topics(kafka: KafkaSettings, group: str, pattern: str) -> frozenset[str] | None:
    """Return the topics of ``pattern`` assigned to no member of the group; None during a rebalance.

    Uses a connection of its own: a consumer that requests topics by name loses its pattern. Raises ``KafkaError``.
    """
    admin = AIOKafkaAdminClient(**security(kafka), client_id="exchange-assignments")
    try:
        await admin.start()
        (answer,) = await admin.describe_consumer_groups([group])
        (described,) = answer.to_object()["groups"]
        topics = {topic for topic in await admin.list_topics() if re.match(pattern, topic)}
    finally:
        await admin.close()
    if described["state"] != "Stable":
        return None
    assignments = [ConsumerProtocol.ASSIGNMENT.decode(member["member_assignment"]) for member in described["members"]]
    assigned = {partition.topic for assignment in assignments for partition in assignment.partitions()}
    return frozenset(topics - assigned)
