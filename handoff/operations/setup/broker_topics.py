"""Topics at the broker: brought to what is declared, and made anew where one is to be copied over itself."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.topics import Topic

TIMEOUT_SECONDS = 30.0
# A node's session is a minute: for so long its group counts it as a member after it was stopped.
_GROUP_EMPTY_SECONDS = 90.0


class BrokerSetupError(Exception):
    """The broker could not be set up as declared; it is safe to try again."""


def apply_topics(operator: KafkaOperator, wanted: tuple[Topic, ...]) -> tuple[str, ...]:
    """Makes the topics that are missing and mends the others; gives the names of those that are new."""
    client = operator.client()
    seen = client.list_topics(timeout=TIMEOUT_SECONDS)
    missing = [topic for topic in wanted if topic.name not in seen.topics]
    # Three copies where the cluster can hold them.
    copies = min(3, len(seen.brokers))
    if missing:
        settle(client.create_topics([_new_topic(topic, copies) for topic in missing]).values())
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
    now = {resource.name: future.result(TIMEOUT_SECONDS) for resource, future in described.items()}
    differences = (_difference(topic, now[topic.name]) for topic in existing)
    # By identity: a ConfigResource of incremental changes counts as empty.
    changes = [difference for difference in differences if difference is not None]
    if changes:
        settle(client.incremental_alter_configs(changes).values())


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
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while missing := names - _led(client):
        if time.monotonic() > deadline:
            raise BrokerSetupError(f"no leader yet for {', '.join(sorted(missing))}")
        time.sleep(0.02)


def _led(client: AdminClient) -> set[str]:
    seen = client.list_topics(timeout=TIMEOUT_SECONDS).topics
    return {
        name
        for name, topic in seen.items()
        if topic.partitions and all(partition.leader >= 0 for partition in topic.partitions.values())
    }


def recreate_topic(operator: KafkaOperator, topic: Topic) -> None:
    """Deletes a topic with all that it holds, and makes it anew so that it takes the times that it is told.

    ``apply_topics`` then lets the broker stamp again. Raises BrokerSetupError and KafkaException.
    """
    client = operator.client()
    if topic.name in client.list_topics(timeout=TIMEOUT_SECONDS).topics:
        settle(client.delete_topics([topic.name]).values())
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while topic.name in client.list_topics(timeout=TIMEOUT_SECONDS).topics:
        if time.monotonic() > deadline:
            raise BrokerSetupError(f"{topic.name} is still there")
        time.sleep(0.02)
    told = {**dict(topic.config), "message.timestamp.type": "CreateTime"}
    apply_topics(operator, (replace(topic, config=tuple(told.items())),))


def delete_records_before(operator: KafkaOperator, topic: str, offset: int) -> None:
    """Lets a topic begin at ``offset``."""
    # Its answers die with a client that nobody holds.
    client = operator.client()
    settle(client.delete_records([TopicPartition(topic, 0, offset)]).values())


def committed(operator: KafkaOperator, groups: Iterable[str], topic: str) -> dict[str, int]:
    """How far each group says that it has read ``topic``; those that say nothing are left out."""
    client, found = operator.client(), dict[str, int]()
    for group in groups:
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
        (answer,) = client.list_consumer_group_offsets([asked]).values()
        (partition,) = answer.result(TIMEOUT_SECONDS).topic_partitions
        if partition.error is None and partition.offset >= 0:
            found[group] = partition.offset
    return found


def commit(operator: KafkaOperator, group: str, topic: str, offset: int) -> None:
    """Says for ``group`` how far it has read; waits a little for its last member to be gone."""
    client = operator.client()
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])
    deadline = time.monotonic() + _GROUP_EMPTY_SECONDS
    while (error := _committing(client, wanted)) is not None:
        if time.monotonic() > deadline:
            raise KafkaException(error)
        time.sleep(0.2)


def _committing(client: AdminClient, wanted: ConsumerGroupTopicPartitions) -> KafkaError | None:
    """Why it could not be said; None if it was."""
    (answer,) = client.alter_consumer_group_offsets([wanted]).values()
    try:
        (partition,) = answer.result(TIMEOUT_SECONDS).topic_partitions
    except KafkaException as refused:
        found: KafkaError = refused.args[0]
        return found
    return partition.error


def settle(futures: Iterable["Future[Any]"]) -> None:
    """Waits for each answer; what exists already is as good as created."""
    for future in futures:
        try:
            future.result(TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
