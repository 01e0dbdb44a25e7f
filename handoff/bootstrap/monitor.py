"""Wiring of a monitor."""

from typing import NoReturn

import asyncpg

from handoff import clock
from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.kafka.checkpoint_watch import CheckpointWatch
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.kafka.verdicts_topic import VerdictsTopic
from handoff.adapters.node_attestation import cosigner_of, witness_of
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.snapshot_store import SnapshotStore
from handoff.bootstrap.dependencies import dependencies
from handoff.config import ConfigurationError, ProcessSettings
from handoff.monitor.runtime import Examiner, Monitor, MonitoredRecord, VerdictPublisher
from handoff.node.ports import Clock
from handoff.process import run_process
from handoff.proof.log.checkpoint import Origin
from handoff.record.topics import record_topic

_NO_KEY = "checkpoints.witness_key_file: required: a monitor cosigns checkpoints"


def run_monitor() -> NoReturn:
    """Run a monitor with the configuration that $HANDOFF_CONFIG names, until SIGTERM or SIGINT; then exit with 0.

    Exits with 2 if the configuration is wrong, and with 3 if nothing may be cosigned any more.
    """

    async def run(settings: ProcessSettings) -> int:
        # Built inside the event loop: a connection pool belongs to the loop that runs when it is created.
        return await build_monitor(settings).run_until_stopped()

    run_process(run)


def build_monitor(settings: ProcessSettings, *, pool: asyncpg.Pool | None = None, clock: Clock = clock.now) -> Monitor:
    """Build a monitor. Nothing connects before it runs. Raises ``ConfigurationError``."""
    if settings.checkpoints is None:
        raise ConfigurationError(_NO_KEY)
    origin = Origin(settings.jurisdiction, settings.generation)
    pool = pool or open_pool(settings.postgres, max_size=2)
    reader = RecordReader(settings.kafka, settings.jurisdiction, client_id=settings.member)
    topic = CheckpointsTopic(settings.kafka, origin, client_id=f"{settings.member}-checkpoints")
    trust = TrustFile(settings.checkpoints, origin)
    cosigner = cosigner_of(settings, settings.checkpoints)
    if cosigner is None:
        raise ConfigurationError(_NO_KEY)
    keys = cosigner.private
    verdicts = VerdictPublisher(VerdictsTopic(settings.kafka, origin, client_id=f"{settings.member}-verdicts"), keys)
    record = MonitoredRecord(origin, settings.genesis_sha256, keys)
    witness = witness_of(
        settings,
        trust,
        topic,
        pool=pool,
        clock=clock,
        examine=Examiner(reader, record, SnapshotStore(pool), verdicts.offer).examine,
    )
    if witness is None:
        raise ConfigurationError(_NO_KEY)
    return Monitor(
        pool=pool,
        reader=reader,
        watch=CheckpointWatch(topic, witness),
        verdicts=verdicts,
        dependencies=dependencies(settings, record_topic(settings.jurisdiction)),
        health=settings.health,
    )
