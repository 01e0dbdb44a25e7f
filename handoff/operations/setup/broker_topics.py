"""Topics at the broker: set-up as declared, re-creation for a topic copy, and offsets of consumer groups."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from handoff.operations.errors import OperationError
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.topics import Topic

TIMEOUT_SECONDS = 30.0
# A node's session timeout is a minute: its group has it as a member that long after it was stopped.
_GROUP_EMPTY_SECONDS = 90.0
# Without it, a topic with the timestamps of producers refuses an entry that is more than an hour ahead of the broker.
_LATEST = "message.timestamp.after.max.ms"
_GROUP_HAS_MEMBERS = {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP}


class BrokerSetupError(OperationError):
    """The broker could not be brought to the declared state. A repetition is safe."""


def apply_topics(operator: KafkaOperator, wanted: tuple[Topic, ...]) -> tuple[str, ...]:
    """Create missing topics and correct the configuration of others. Return the names of the created topics."""
    client = operator.client()
    cluster = client.list_topics(timeout=TIMEOUT_SECONDS)
    missing = [topic for topic in wanted if topic.name not in cluster.topics]
    # Three replicas, or as many as the cluster has brokers.
    replicas = min(3, len(cluster.brokers))
    if missing:
        wait_for_all(client.create_topics([_new_topic(topic, replicas) for topic in missing]).values())
    _correct_configs(client, [topic for topic in wanted if topic.name in cluster.topics])
    _wait_for_leaders(client, {topic.name for topic in wanted})
    return tuple(topic.name for topic in missing)


def _new_topic(topic: Topic, replicas: int) -> NewTopic:
    config = {**dict(topic.config), "min.insync.replicas": str(min(2, replicas))}
    return NewTopic(topic.name, topic.partitions, replicas, config=config)


def _correct_configs(client: AdminClient, existing: list[Topic]) -> None:
    if not existing:
        return
    described = client.describe_configs([ConfigResource(ResourceType.TOPIC, t.name) for t in existing])
    now = {resource.name: future.result(TIMEOUT_SECONDS) for resource, future in described.items()}
    differences = (_difference(topic, now[topic.name]) for topic in existing)
    # Compare with None: a ConfigResource that has only incremental changes is falsy.
    changes = [difference for difference in differences if difference is not None]
    if changes:
        wait_for_all(client.incremental_alter_configs(changes).values())


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
    """Wait until each topic has a leader. Otherwise the first writes would need retries."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while missing := names - _with_leader(client):
        if time.monotonic() > deadline:
            raise BrokerSetupError(
                f"these topics have no leader after {TIMEOUT_SECONDS:.0f} s: {', '.join(sorted(missing))}"
            )
        time.sleep(0.02)


def _with_leader(client: AdminClient) -> set[str]:
    topics = client.list_topics(timeout=TIMEOUT_SECONDS).topics
    return {
        name
        for name, topic in topics.items()
        if topic.partitions and all(partition.leader >= 0 for partition in topic.partitions.values())
    }


def recreate_topic(operator: KafkaOperator, topic: Topic) -> None:
    """Delete a topic and create it again, empty, with the timestamps of its producer, whatever they are.

    A later ``restore_timestamps`` returns it to those of the broker. Raises BrokerSetupError and KafkaException.
    """
    delete_topic(operator, topic)
    config = {**dict(topic.config), "message.timestamp.type": "CreateTime", _LATEST: str(2**63 - 1)}
    apply_topics(operator, (replace(topic, config=tuple(config.items())),))


def restore_timestamps(operator: KafkaOperator, topic: Topic) -> None:
    """Return a topic to its declared configuration, in which the broker stamps each entry."""
    apply_topics(operator, (topic,))
    client = operator.client()
    unset = ConfigEntry(_LATEST, None, incremental_operation=AlterConfigOpType.DELETE)
    resource = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=[unset])
    wait_for_all(client.incremental_alter_configs([resource]).values())


def topic_exists(operator: KafkaOperator, topic: Topic) -> bool:
    """Return whether the broker has a topic of that name."""
    return topic.name in operator.client().list_topics(timeout=TIMEOUT_SECONDS).topics


def delete_topic(operator: KafkaOperator, topic: Topic) -> None:
    """Delete a topic, if it exists, and wait until the broker has forgotten it."""
    client = operator.client()
    if topic.name in client.list_topics(timeout=TIMEOUT_SECONDS).topics:
        wait_for_all(client.delete_topics([topic.name]).values())
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while topic.name in client.list_topics(timeout=TIMEOUT_SECONDS).topics:
        if time.monotonic() > deadline:
            raise BrokerSetupError(f"{topic.name} still exists {TIMEOUT_SECONDS:.0f} s after its deletion")
        time.sleep(0.02)


def delete_records_before(operator: KafkaOperator, topic: str, offset: int) -> None:
    """Delete the entries of a topic before ``offset``."""
    # Keep the client: a request ends when its client is collected.
    client = operator.client()
    wait_for_all(client.delete_records([TopicPartition(topic, 0, offset)]).values())


def committed_offsets(operator: KafkaOperator, groups: Iterable[str], topic: str) -> dict[str, int]:
    """Committed offset of each group on ``topic``. Groups without one are left out."""
    client, found = operator.client(), dict[str, int]()
    for group in groups:
        request = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
        (response,) = client.list_consumer_group_offsets([request]).values()
        (partition,) = response.result(TIMEOUT_SECONDS).topic_partitions
        if partition.error is None and partition.offset >= 0:
            found[group] = partition.offset
    return found


def offer_offset(operator: KafkaOperator, group: str, topic: str, offset: int) -> None:
    """Commit an offset for ``group``, unless the group has members: they keep their positions in memory."""
    error = _commit(operator.client(), ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)]))
    if error is not None and error.code() not in _GROUP_HAS_MEMBERS:
        raise KafkaException(error)


def commit_offset(operator: KafkaOperator, group: str, topic: str, offset: int) -> None:
    """Commit an offset for ``group``, after waiting until the group has no member."""
    client = operator.client()
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])
    deadline = time.monotonic() + _GROUP_EMPTY_SECONDS
    while (error := _commit(client, wanted)) is not None:
        if time.monotonic() > deadline:
            raise KafkaException(error)
        time.sleep(0.2)


def _commit(client: AdminClient, wanted: ConsumerGroupTopicPartitions) -> KafkaError | None:
    """Commit the offset; return the error, if any."""
    (response,) = client.alter_consumer_group_offsets([wanted]).values()
    try:
        (partition,) = response.result(TIMEOUT_SECONDS).topic_partitions
    except KafkaException as error:
        refusal: KafkaError = error.args[0]
        return refusal
    return partition.error


def wait_for_all(futures: Iterable["Future[Any]"]) -> None:
    """Wait for all results. A topic that already exists counts as created."""
    for future in futures:
        try:
            future.result(TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
