"""A topic that stores the time of the sender, as after a fault of the broker's clock."""

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.topics import Topic


def take_any_time(place: Jurisdiction, topic: Topic) -> None:
    """Let the next appends carry a time of their sender."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in (
            ("message.timestamp.type", "CreateTime"),
            ("message.timestamp.after.max.ms", str(2**63 - 1)),
        )
    ]
    # Kept until the answer is there: its request would end with it.
    client = place.kafka.client()
    change = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)
    [changed] = client.incremental_alter_configs([change]).values()
    changed.result(20)
