"""Consumer of the checkpoints topic on behalf of a witness and a quorum collector."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken
from handoff.backoff import Backoff
from handoff.node.attestation.quorum import QuorumTracker
from handoff.node.attestation.witness import Witness, WitnessBehind, WitnessHalted
from handoff.node.commands.results import StoreUnavailable

log = structlog.get_logger(__name__)

READ_WAIT_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0


@dataclass
class CheckpointWatch:
    """Feeds a witness, a quorum collector, or both from one consumer."""

    topic: CheckpointsTopic
    witness: Witness | None = None
    quorum: QuorumTracker | None = None

    async def run(self, began: Callable[[], None] = lambda: None) -> None:
        """Run until cancelled; ``began`` is called whenever the witness starts. Raises ``WitnessHalted``."""
        backoff, first = Backoff(longest=LONGEST_PAUSE_SECONDS), None
        while True:
            try:
                await self._follow(first, began, backoff)
            except WitnessBehind:
                log.info("checkpoints.reread_from_beginning")
                first = 0
                continue
            except (BrokerUnavailable, StoreUnavailable) as error:
                log.warning("checkpoints.retry_scheduled", error=type(error).__name__)
            except RecordBroken as error:
                # Values already read are missing on the topic: a witness must not continue from them.
                if self.witness is not None:
                    raise WitnessHalted("checkpoints_lost") from error
                log.warning("checkpoints.lost", why=str(error))
                first = 0
            finally:
                await self.topic.close()
            await asyncio.sleep(backoff.pause())

    async def _follow(self, first: int | None, began: Callable[[], None], backoff: Backoff) -> None:
        offset = await self._begin()
        await self._check_published(offset)
        began()
        await self.topic.start(offset if first is None else first)
        while True:
            values = await self.topic.read(wait=READ_WAIT_SECONDS)
            backoff.reset()
            if values and self.witness is not None:
                await self.witness.process(values)
            if values and self.quorum is not None:
                await self.quorum.process(values)

    async def _begin(self) -> int:
        own = [await part.begin() for part in (self.quorum, self.witness) if part is not None]
        # The witness's offset, if any: from there it has to look for its own cosignatures.
        return own[-1]

    async def _check_published(self, offset: int) -> None:
        """Let the witness check its own published cosignatures beyond its stored state."""
        if self.witness is None:
            return
        end = await self.topic.end()
        await self.topic.start(offset)
        while offset < end:
            values = await self.topic.read(wait=READ_WAIT_SECONDS)
            self.witness.check_published(values)
            offset = values[-1][0] + 1 if values else offset
        await self.witness.confirm()
