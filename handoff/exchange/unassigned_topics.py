"""Whether every member is heard: that some exchange reads each outgoing topic.

A broker gives an exchange that comes back within its session the topics that it had before, without asking anybody. A
member that was founded in between is then in nobody's hands.
"""

import re
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

from handoff.adapters.kafka.client import security
from handoff.config import KafkaSettings


async def unheard(kafka: KafkaSettings, group: str, pattern: str) -> frozenset[str] | None:
    """The topics of that pattern which nobody in the group reads; None while the group divides them.

    Asked over a connection of its own: a consumer that asks for topics by name forgets its pattern. Raises KafkaError.
    """
    admin = AIOKafkaAdminClient(**security(kafka), client_id="exchange-hearing")
    try:
        await admin.start()
        (answer,) = await admin.describe_consumer_groups([group])
        (described,) = answer.to_object()["groups"]
        topics = {topic for topic in await admin.list_topics() if re.match(pattern, topic)}
    finally:
        await admin.close()
    if described["state"] != "Stable":
        return None
    return frozenset(topics).difference(*(map(_read_by, described["members"])))


def _read_by(member: dict[str, Any]) -> set[str]:
    assignment = ConsumerProtocol.ASSIGNMENT.decode(member["member_assignment"])
    return {partition.topic for partition in assignment.partitions()}
