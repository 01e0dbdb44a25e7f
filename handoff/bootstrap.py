"""Where everything is wired: the only place that knows a node's runtime, its adapters and its API together."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import NoReturn

import asyncpg
import structlog

from handoff import clock, telemetry
from handoff.adapters.files.signing_keys import signing_key
from handoff.adapters.http.server import http_server
from handoff.adapters.kafka.client import Sender
from handoff.adapters.kafka.faust_inbox import FaustInbox
from handoff.adapters.kafka.outgoing_topic import OutgoingTopic
from handoff.adapters.node_attestation import Sealing
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool, until_it_works
from handoff.config import ConfigurationError, ProcessSettings
from handoff.node.commands.derived_ids import naming
from handoff.node.commands.desk import Desk
from handoff.node.commands.results import StoreUnavailable
from handoff.node.inbox import rebuild
from handoff.node.inbox.intake import Intake
from handoff.node.leadership import Leadership
from handoff.node.outbox.relay import Relay
from handoff.node.wakeup import Wakeup
from handoff.process import instance_name, run_process
from handoff.record import topics
from handoff.record.envelope import Source
from handoff.service import NodeResources, ServiceDefinition
from handoff.web.app import create_app
from handoff.web.context import PartReadiness

log = structlog.get_logger(__name__)
# An answer that is held for an echo is cut: its caller asks again.
GRACE_SECONDS = 1


def run_node(service: ServiceDefinition) -> NoReturn:
    """Runs a node with the configuration that $HANDOFF_CONFIG names, until SIGTERM or SIGINT; then exits with 0.

    Exits with 2 for a wrong configuration, and with 1 where it has to be started anew.
    """

    async def run(settings: ProcessSettings) -> int:
        # Made inside the loop: the pool belongs to the loop that runs when it is made.
        return await Node(service, settings).run()

    run_process(run)


class Node:
    """One institution's process: desk, relay, inbox and API over one database and one broker."""

    def __init__(self, service: ServiceDefinition, settings: ProcessSettings) -> None:
        if settings.http is None or settings.token is None:
            raise ConfigurationError("http, token: a node serves its institution's system, so it needs both")
        self._me = me = Source(settings.jurisdiction, settings.generation, settings.member)
        self._genesis_sha256 = settings.genesis_sha256
        key = signing_key(settings.signing_key_file)
        stored, folded = Wakeup(), Wakeup()
        self._pool = open_pool(settings.postgres, max_size=6)
        self._store = store = PostgresStore(self._pool)
        self._turn = Leadership(store, instance_name(settings))
        self._desk = Desk(
            store, me, stored=stored, folded=folded, clock=clock.now, new_id=clock.new_id, name=naming(key.seed)
        )
        sender = Sender(settings.kafka, client_id=f"{me.member}-relay")
        publisher = OutgoingTopic(sender, topics.out_topic(me.jurisdiction, me.member))
        self._relay = Relay(store, publisher, me, key, stored, clock.now)
        self._intake = Intake(
            store, me, settings.genesis_sha256, service.policies, folded=folded, stored=stored, clock=clock.now
        )
        self._inbox = FaustInbox(
            settings.kafka,
            topic=topics.in_topic(me.jurisdiction, me.member),
            group=topics.groups(me.jurisdiction, me.member)[0],
            intake=self._intake,
        )
        self._sealing = Sealing(settings, settings.checkpoints, self._pool, clock.now) if settings.checkpoints else None
        api = create_app(
            self._desk,
            member=me.member,
            token=settings.token.get_secret_value(),
            api=service.api,
            parts=self._parts,
        )
        self._pools: tuple[asyncpg.Pool, ...] = (self._pool,)
        if service.annex is not None:
            annex = service.annex(NodeResources(settings, self._desk, self._pool))
            annex.add_to(api)
            self._pools += annex.pools
        self._server = http_server(api, settings.http, grace_seconds=GRACE_SECONDS)

    async def run(self) -> int:
        """Goes on until it is told to stop; gives the exit code."""
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        async with AsyncExitStack() as opened:
            for pool in self._pools:
                await opened.enter_async_context(pool)
            log.info("node.starts", port=self._server.config.port)
            serving = asyncio.create_task(self._server.serve())
            code = await self._work_until(told, serving)
            # What is being answered is answered, however it ends: nobody is left to guess what became of a command.
            self._server.should_exit = True
            await asyncio.wait([serving])
        return code

    async def _work_until(self, told: asyncio.Event, serving: "asyncio.Task[None]") -> int:
        """Works until it is told to stop or cannot go on; gives the exit code."""
        code = 0
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work(tasks))
                tasks.create_task(self._stop_when(told, serving))
        except* _Stopped:
            log.info("node.stopped")
        except* Exception as crashed:
            code = 1
            log.exception("node.crashed", errors=[type(error).__name__ for error in crashed.exceptions])
        return code

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        """Everything of which a member needs exactly one, once it is this process's turn."""
        await self._turn.take()
        tasks.create_task(self._turn.keep())
        tasks.create_task(self._relay.run())
        tasks.create_task(self._take_in())
        if self._sealing is not None:
            tasks.create_task(self._sealing.run())

    async def _take_in(self) -> None:
        await until_it_works(self._refold_parked, _retried, transient=(StoreUnavailable,))
        await self._inbox.run()

    async def _refold_parked(self) -> None:
        """What an older release set aside may be readable now."""
        backlog = await self._store.backlog(clock.now())
        if backlog.parked:
            report = await rebuild.rebuild(self._store, self._me, self._genesis_sha256)
            log.info("node.refolded", entries=report.entries, parked_before=backlog.parked)

    async def _stop_when(self, told: asyncio.Event, serving: "asyncio.Task[None]") -> None:
        await asyncio.wait([asyncio.create_task(told.wait()), serving], return_when=asyncio.FIRST_COMPLETED)
        # Work goes on while the last questions are answered: some wait for an echo.
        self._server.should_exit = True
        await serving
        raise _Stopped

    def _parts(self) -> Sequence[PartReadiness]:
        if not self._turn.mine:
            return (PartReadiness(name="turn", ready=self._turn.stands_by),)
        return (
            PartReadiness(name="inbox", ready=self._inbox.running),
            PartReadiness(name="fold", ready=self._intake.caught_up),
            PartReadiness(name="admission", ready=self._relay.admitted),
            *(
                PartReadiness(name=part, ready=False, detail=why, needed=False)
                for part, why in self._ailments().items()
            ),
        )

    def _ailments(self) -> Mapping[str, str]:
        return self._sealing.ailments if self._sealing is not None else {}


def _retried(error: Exception) -> None:
    telemetry.DATABASE_RETRIES.inc()
    log.warning("database.away", error=str(error))


class _Stopped(Exception):
    """The process was told to stop."""
