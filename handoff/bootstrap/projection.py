"""Wiring of a projection and of its checkpoint publisher."""

from typing import NoReturn

from handoff import clock
from handoff.adapters.files.signing_keys import board_references, own_keys
from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.postgres.timeline_store import Founding
from handoff.bootstrap.dependencies import dependencies
from handoff.config import ConfigurationError, ProcessSettings
from handoff.node.ports import Clock
from handoff.process import instance_name, run_process
from handoff.projection.checkpoint_publisher import CheckpointPublisher
from handoff.projection.runtime import Projection
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.signer import LogSigner
from handoff.proof.log.verifiers import ANY_SIZE
from handoff.record.topics import record_topic


def run_projection() -> NoReturn:
    """Run a projection with the configuration that $HANDOFF_CONFIG names, until SIGTERM or SIGINT; then exit with 0.

    Exits with 2 if the configuration is wrong, and with 3 if the record is broken.
    """

    async def run(settings: ProcessSettings) -> int:
        return await build_projection(settings).run_until_stopped()

    run_process(run)


def build_projection(settings: ProcessSettings, *, clock: Clock = clock.now) -> Projection:
    """Build a projection. Nothing connects before it runs. Raises ``ConfigurationError``."""
    return Projection(
        postgres=settings.postgres,
        founding=Founding(settings.jurisdiction, settings.generation, settings.genesis_sha256),
        reader=RecordReader(settings.kafka, settings.jurisdiction, client_id=settings.member),
        patience_seconds=settings.projection.patience_seconds,
        publisher=build_checkpoint_publisher(settings, clock=clock),
        clock=clock,
        instance=instance_name(settings),
        dependencies=dependencies(settings, record_topic(settings.jurisdiction)),
        health=settings.health,
        references=board_references(settings),
    )


def build_checkpoint_publisher(settings: ProcessSettings, *, clock: Clock = clock.now) -> CheckpointPublisher | None:
    """Build the publisher of the record's checkpoints; None if the settings configure no checkpoints.

    Raises ``ConfigurationError``.
    """
    if settings.checkpoints is None:
        return None
    origin = Origin(settings.jurisdiction, settings.generation)
    keys = own_keys(settings)
    log = LogSigner(origin, keys.current, keys.next)
    trust = TrustFile(settings.checkpoints, origin)
    if not set(log.public_keys) & set(trust.keys_at(ANY_SIZE)):
        raise ConfigurationError(
            "signing_key_file: the trust file names another key for this record's log, or an end of this one"
        )
    name = f"{settings.member}-log"
    return CheckpointPublisher(
        postgres=settings.postgres,
        cadence_seconds=settings.checkpoints.cadence_seconds,
        log=log,
        trust=trust,
        topic=CheckpointsTopic(settings.kafka, origin, client_id=name),
        record=RecordReader(settings.kafka, settings.jurisdiction, client_id=name),
        clock=clock,
    )
