"""Wiring of an institution's node."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import asyncpg

from handoff import clock
from handoff.adapters.files.signing_keys import idempotency_secret, own_keys
from handoff.adapters.http.server import http_server
from handoff.adapters.kafka.client import Sender
from handoff.adapters.kafka.faust_inbox import FaustInbox
from handoff.adapters.kafka.outgoing_topic import OutgoingTopic
from handoff.adapters.node_attestation import NodeAttestation
from handoff.adapters.postgres.expired_rows import node_rules
from handoff.adapters.postgres.inbox_notifications import InboxNotifications
from handoff.adapters.postgres.leadership_store import PostgresLeadership
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import TRANSIENT, open_pool
from handoff.bootstrap.dependencies import dependencies
from handoff.config import ConfigurationError, ProcessSettings
from handoff.domain.decide import NewId
from handoff.domain.own_keys import OwnKeys
from handoff.domain.policies import Policy
from handoff.leadership import Leadership, ProgressTimeout
from handoff.node.commands.derived_ids import id_derivation, key_hashing
from handoff.node.commands.desk import Desk
from handoff.node.commands.results import StoreUnavailable
from handoff.node.inbox.intake import InboxIntake
from handoff.node.inbox.rebuild import refold_parked
from handoff.node.outbox.relay import RESEND_SECONDS, OutboxRelay
from handoff.node.ports import Clock, Publisher
from handoff.process import instance_name, run_process
from handoff.record import topics
from handoff.record.envelope import Source
from handoff.retention import Retention
from handoff.service import AddedTask, Node, NodeResources, ServiceDefinition
from handoff.wakeup import Wakeup
from handoff.web.app import create_app

GRACE_SECONDS = 1
"""At shutdown, requests that wait for an echo are cut off after this time: their callers ask again."""

LEADER_TIMEOUT_SECONDS = 5.0
"""A standby takes over after this time: short enough for those who wait, long enough for a busy machine."""


def run_node(service: ServiceDefinition) -> NoReturn:
    """Run a node with the configuration that $HANDOFF_CONFIG names, until SIGTERM or SIGINT; then exit with 0.

    Exits with 2 if the configuration is wrong, and with 1 if the process has to be restarted.
    """

    async def run(settings: ProcessSettings) -> int:
        # Built inside the event loop: a connection pool belongs to the loop that runs when it is created.
        return await build_node(service, settings).run()

    run_process(run)


def build_node(
    service: ServiceDefinition,
    settings: ProcessSettings,
    *,
    publisher: Publisher | None = None,
    clock: Clock = clock.now,
    new_id: NewId = clock.new_id,
) -> Node:
    """Build one institution's node. Nothing connects before the node runs. Raises ConfigurationError."""
    if settings.http is None or settings.token is None:
        raise ConfigurationError("http, token: a node serves its institution's system, so it needs both")
    if settings.health.port is None:
        raise ConfigurationError("health.port: a node serves readiness and metrics on a port of its own")
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    keys = own_keys(settings)
    pool, wakeups = open_pool(settings.postgres, max_size=7), NodeWakeups()
    if publisher is None:
        sender = Sender(settings.kafka, client_id=f"{me.member}-relay")
        publisher = OutgoingTopic(sender, topics.out_topic(me.jurisdiction, me.member))
    store = PostgresStore(pool)
    intake = build_intake(
        me, settings.genesis_sha256, pool, service.policies, wakeups=wakeups, clock=clock, own_keys=keys.ids
    )
    secret = idempotency_secret(settings.idempotency_secret_file)
    desk = build_desk(me, keys, secret, pool, wakeups=wakeups, clock=clock, new_id=new_id)
    api = create_app(
        desk,
        member=me.member,
        token=settings.token.get_secret_value(),
        api=service.api,
        trusted_proxies=settings.http.trusted_proxies,
    )
    pools, rules = [pool], node_rules(pool, settings.retention)
    added_tasks: Sequence[AddedTask] = ()
    if service.extension is not None:
        extension = service.extension(NodeResources(settings, desk, pool))
        extension.add_to(api)
        pools += extension.pools
        rules += extension.retention
        added_tasks = extension.tasks
    return Node(
        leadership=Leadership(
            PostgresLeadership(pool),
            instance_name(settings),
            ProgressTimeout(LEADER_TIMEOUT_SECONDS),
            unavailable=TRANSIENT,
        ),
        relay=build_relay(me, keys, pool, publisher, wakeups=wakeups, clock=clock),
        intake=intake,
        refold_parked=partial(refold_parked, store, me, settings.genesis_sha256, clock),
        inbox=FaustInbox(
            settings.kafka,
            topic=topics.in_topic(me.jurisdiction, me.member),
            group=topics.groups(me.jurisdiction, me.member)[0],
            intake=intake,
        ),
        attestation=NodeAttestation(settings, settings.checkpoints, pool, clock) if settings.checkpoints else None,
        dependencies=dependencies(settings, topics.in_topic(me.jurisdiction, me.member), broker_needed=False),
        measure_backlog=desk.pending,
        health=settings.health,
        member=me.member,
        pools=pools,
        retention=Retention(rules, (StoreUnavailable, asyncpg.PostgresError), clock),
        server=http_server(api, settings.http, grace_seconds=GRACE_SECONDS, on_shutdown=api.state.context.shutdown.set),
        notifications=InboxNotifications(pool, wakeups.folded),
        added_tasks=added_tasks,
    )


@dataclass(frozen=True)
class NodeWakeups:
    """The wake-ups that a node's parts share: an event was stored for the relay; an inbox entry was folded."""

    stored: Wakeup = field(default_factory=Wakeup)
    folded: Wakeup = field(default_factory=Wakeup)


def build_desk(
    me: Source,
    keys: OwnKeys,
    secret: bytes,
    pool: asyncpg.Pool,
    *,
    wakeups: NodeWakeups | None = None,
    clock: Clock = clock.now,
    new_id: NewId = clock.new_id,
) -> Desk:
    """Build a desk on a node's database. Stored keys, and ids derived from them, depend on ``secret``."""
    wakeups = wakeups or NodeWakeups()
    return Desk(
        PostgresStore(pool),
        me,
        wakeups.stored,
        wakeups.folded,
        clock,
        new_id,
        id_derivation(secret),
        key_hashing(secret, me.member),
        keys,
    )


def build_relay(
    me: Source,
    keys: OwnKeys,
    pool: asyncpg.Pool,
    publisher: Publisher,
    *,
    wakeups: NodeWakeups | None = None,
    clock: Clock = clock.now,
    resend_seconds: float = RESEND_SECONDS,
) -> OutboxRelay:
    """Build a relay from a node's outbox to ``publisher``."""
    wakeups = wakeups or NodeWakeups()
    return OutboxRelay(PostgresStore(pool), publisher, me, keys, wakeups.stored, clock, resend_seconds)


def build_intake(
    me: Source,
    genesis_sha256: str,
    pool: asyncpg.Pool,
    policies: Sequence[Policy],
    *,
    wakeups: NodeWakeups | None = None,
    clock: Clock = clock.now,
    own_keys: Collection[str] = (),
) -> InboxIntake:
    """Build an intake into a node's database."""
    wakeups = wakeups or NodeWakeups()
    return InboxIntake(
        PostgresStore(pool),
        me,
        genesis_sha256,
        policies,
        folded=wakeups.folded,
        stored=wakeups.stored,
        clock=clock,
        own_keys=own_keys,
    )
