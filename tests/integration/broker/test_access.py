"""Permissions at the broker: every principal, topic and operation, by the broker's own error codes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError
from confluent_kafka.admin import NewTopic

from handoff.adapters.kafka.client import security
from handoff.config import jurisdiction_plan
from handoff.operations.setup.access import principals
from handoff.operations.setup.broker_topics import committed_offsets
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.topics import EXCHANGE, Topic, client_group, groups, in_topic, topics
from handoff.trial.kafka import CLUSTER
from handoff.trial.stack import TrialStack
from tests.support.parts.stack import PRIZREN, Jurisdictions
from tests.support.probes.broker_probe import (
    CLUSTER_REFUSED,
    GRANTED,
    GROUP_REFUSED,
    LOGIN_REFUSED,
    MECHANISM_UNKNOWN,
    MEMBER_ID_REQUIRED,
    TOPIC_REFUSED,
    TRANSACTIONAL_ID_REFUSED,
    BrokerProbe,
    Codes,
    hangs_up_on_the_nameless,
    login,
)

_PLAN = jurisdiction_plan(PRIZREN)
_PRINCIPALS = tuple(principal.id for principal in principals(_PLAN.name, _PLAN.member_ids))

every_principal = pytest.mark.parametrize("who", _PRINCIPALS)


class Site(NamedTuple):
    """A jurisdiction, and a neighbour on the same broker."""

    home: Jurisdiction
    neighbour: Jurisdiction

    @property
    def topics(self) -> tuple[Topic, ...]:
        return topics(self.home.name, self.home.members)

    @property
    def topic_names(self) -> tuple[str, ...]:
        return tuple(topic.name for topic in self.topics)

    @property
    def foreign_topic_names(self) -> tuple[str, ...]:
        return tuple(topic.name for topic in topics(self.neighbour.name, self.neighbour.members))


@pytest_asyncio.fixture(scope="module")
async def site(broker_jurisdictions: Jurisdictions, kafka: KafkaOperator) -> Site:
    site = Site(*await asyncio.gather(broker_jurisdictions.on_broker(), broker_jurisdictions.on_broker()))
    async with BrokerProbe(kafka.bootstrap_servers, kafka.username, kafka.password) as operator:
        await operator.wait_for_groups()
    return site


@pytest_asyncio.fixture
async def probe(site: Site, who: str) -> AsyncIterator[BrokerProbe]:
    async with _as(site.home, who) as probe:
        yield probe


@every_principal
async def test_a_principal_reads_exactly_what_is_addressed_to_it(site: Site, who: str, probe: BrokerProbe) -> None:
    expected = {topic.name: _granted(who in topic.readers) for topic in site.topics}
    assert await probe.read(site.topic_names) == expected


@every_principal
async def test_a_principal_writes_only_to_its_own_topics(site: Site, who: str, probe: BrokerProbe) -> None:
    expected = {topic.name: _granted(who in topic.writers) for topic in site.topics}
    assert await probe.write(site.topic_names) == expected


@every_principal
async def test_a_principal_sees_neither_the_existence_nor_the_pace_of_other_topics(
    site: Site, who: str, probe: BrokerProbe
) -> None:
    expected = {t.name: _granted(who in t.readers or who in t.writers) for t in site.topics}
    assert await probe.describe(site.topic_names) == expected
    assert await probe.list_offsets(site.topic_names) == expected


@every_principal
async def test_only_the_operator_creates_alters_or_deletes_a_topic(site: Site, who: str, probe: BrokerProbe) -> None:
    refused = _all(site.topic_names, TOPIC_REFUSED)
    new = [f"{name}_new" for name in site.topic_names]
    assert await probe.create(new) == _all(new, TOPIC_REFUSED)
    assert await probe.alter_config(site.topic_names) == refused
    assert await probe.add_partitions(site.topic_names) == refused
    assert await probe.delete(site.topic_names) == refused


@every_principal
async def test_a_principal_joins_its_own_groups_alone(site: Site, who: str, probe: BrokerProbe) -> None:
    everyone = principals(site.home.name, site.home.members)
    expected = {
        group: MEMBER_ID_REQUIRED if principal.id == who else GROUP_REFUSED
        for principal in everyone
        for group in principal.groups
    }
    assert await probe.join(expected) == expected


async def test_a_members_own_client_reads_its_inbox_beside_the_node_in_the_group_for_it(site: Site) -> None:
    exchange, inbox = site.home.kafka_settings(EXCHANGE), in_topic(site.home.name, "police")
    async with AIOKafkaProducer(**security(exchange), client_id="exchange") as producer:
        last = (await producer.send_and_wait(inbox, b"value")).offset
    own = client_group(site.home.name, "police")
    assert await _read_up_to(site, "police", inbox, own, last) == b"value"
    # The node's group is untouched, so the node still gets the entry.
    assert committed_offsets(site.home.kafka, groups(site.home.name, "police"), inbox) == {own: last + 1}
    with pytest.raises(GroupAuthorizationFailedError):
        await _read_up_to(site, "shelter", in_topic(site.home.name, "shelter"), own, 0)


async def _read_up_to(site: Site, who: str, topic: str, group: str, last: int) -> bytes:
    """Read a topic in a group as a member's Kafka client, commit up to the offset ``last``, and return its value."""
    consumer = AIOKafkaConsumer(
        topic, **security(site.home.kafka_settings(who)), group_id=group, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        while (found := await consumer.getone()).offset < last:
            pass
        await consumer.commit()
        return bytes(found.value)
    finally:
        await consumer.stop()


@every_principal
async def test_no_principal_may_use_transactions_and_every_one_may_send_idempotently(
    site: Site, who: str, probe: BrokerProbe
) -> None:
    writes = any(who in topic.writers for topic in site.topics)
    assert await probe.begin_transactions_as(f"{site.home.name}.{who}") == TRANSACTIONAL_ID_REFUSED
    assert await probe.become_idempotent() == (GRANTED if writes else CLUSTER_REFUSED)


@every_principal
async def test_only_the_operator_grants_rights(site: Site, who: str, probe: BrokerProbe) -> None:
    assert await probe.grant_all_to(f"{site.home.name}-{who}") == CLUSTER_REFUSED


@every_principal
async def test_another_jurisdictions_topics_and_groups_are_forbidden(site: Site, who: str, probe: BrokerProbe) -> None:
    refused = _all(site.foreign_topic_names, TOPIC_REFUSED)
    assert await probe.describe(site.foreign_topic_names) == refused
    assert await probe.read(site.foreign_topic_names) == refused
    assert await probe.write(site.foreign_topic_names) == refused
    group = f"{site.neighbour.name}.{who}"
    assert await probe.join([group]) == {group: GROUP_REFUSED}


async def test_the_operator_may_do_all_that_is_refused_to_others(site: Site, kafka: KafkaOperator) -> None:
    scratch = f"{site.home.name}.scratch"
    client = kafka.client()
    client.create_topics([NewTopic(scratch, 1, 1)])[scratch].result(10)
    async with BrokerProbe(kafka.bootstrap_servers, kafka.username, kafka.password) as operator:
        assert await operator.create([f"{scratch}_new"]) == {f"{scratch}_new": GRANTED}
        assert await operator.alter_config([scratch]) == {scratch: GRANTED}
        assert await operator.add_partitions([scratch]) == {scratch: GRANTED}
        assert await operator.delete([scratch]) == {scratch: GRANTED}


async def test_a_listener_for_clients_takes_the_right_password_alone(site: Site, stack: TrialStack) -> None:
    port = stack.kafka.ports[0].client
    settings = site.home.kafka_settings("police")
    password = settings.password.get_secret_value()
    assert await login(port, "SCRAM-SHA-512", settings.username, password) == GRANTED
    assert await login(port, "SCRAM-SHA-512", settings.username, "wrong") == LOGIN_REFUSED
    assert await login(port, "SCRAM-SHA-512", "nobody-known", password) == LOGIN_REFUSED
    assert await login(port, "PLAIN", settings.username, password) == MECHANISM_UNKNOWN
    assert await hangs_up_on_the_nameless(port)


async def test_the_controllers_listener_is_closed_to_everyone_but_the_brokers(
    site: Site, stack: TrialStack, kafka: KafkaOperator
) -> None:
    port = stack.kafka.ports[0].controller
    settings = site.home.kafka_settings("police")
    assert await login(port, "PLAIN", CLUSTER, stack.kafka.cluster_password) == GRANTED
    assert await login(port, "PLAIN", settings.username, settings.password.get_secret_value()) == LOGIN_REFUSED
    assert await login(port, "PLAIN", kafka.username, kafka.password) == LOGIN_REFUSED
    assert await hangs_up_on_the_nameless(port)


def _as(jurisdiction: Jurisdiction, who: str) -> BrokerProbe:
    settings = jurisdiction.kafka_settings(who)
    return BrokerProbe(settings.bootstrap_servers, settings.username, settings.password.get_secret_value())


def _granted(condition: bool) -> int:  # noqa: FBT001 (the matrix's cell)
    return GRANTED if condition else TOPIC_REFUSED


def _all(names: Iterable[str], code: int) -> Codes:
    return dict.fromkeys(names, code)
