"""A witness that is killed by SIGKILL at the very moment at which it would publish what it has just stored."""

import asyncio
import os
import signal

from handoff import clock
from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.kafka.checkpoint_watch import CheckpointWatch
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.node_attestation import witness_of
from handoff.adapters.postgres.pool import open_pool
from handoff.config import process_settings
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.witness import AddCheckpoint


async def _die(_request: AddCheckpoint) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _run() -> None:
    settings = process_settings()
    origin = Origin(settings.jurisdiction, settings.generation)
    topic = CheckpointsTopic(settings.kafka, origin, client_id="killed")
    assert settings.checkpoints is not None
    async with open_pool(settings.postgres) as pool:
        witness = witness_of(settings, TrustFile(settings.checkpoints, origin), topic, pool=pool, clock=clock.now)
        assert witness is not None
        witness.publish = _die
        await CheckpointWatch(topic, witness).run()


if __name__ == "__main__":
    asyncio.run(_run())
