"""Operator's work on a node's database: pause its relay, fold its inbox again, reset its witness."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass

from handoff import clock
from handoff.adapters.files.answered_commands import AnsweredCommand, answered_commands
from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.node_attestation import witness_of
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.witness_store import PostgresWitnessStore
from handoff.config import ConfigurationError, PostgresSettings, ProcessSettings
from handoff.node.attestation.witness import Witness, WitnessState
from handoff.node.inbox import rebuild
from handoff.operations.errors import OperationError
from handoff.proof.log.checkpoint import Origin, TreeHead
from handoff.record.envelope import Source
from handoff.record.kafka_record import KafkaRecord
from handoff.record.topics import in_topic

_NO_WITNESS = "is no witness: name an agency or the monitor"
_WAIT_SECONDS = 0.5


async def pause_relay(settings: PostgresSettings, *, paused: bool) -> None:
    """Pause or resume a node's relay. The relay notices within a tenth of a second."""
    async with open_pool(settings) as pool:
        await PostgresStore(pool).pause(paused=paused)


async def rebuild_node(settings: ProcessSettings) -> rebuild.InboxRebuildReport:
    """Fold the inbox that a node has stored again."""
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    async with open_pool(settings.postgres) as pool:
        return await rebuild.rebuild(PostgresStore(pool), me, settings.genesis_sha256)


async def recover_node(
    settings: ProcessSettings, log: Iterable[str]
) -> tuple[rebuild.InboxRebuildReport, tuple[AnsweredCommand, ...]]:
    """Fold a node's inbox again up to the topic's end.

    Also returns the events that ``log`` reports as stored and that the database no longer has. Raises
    BrokerUnavailable, StoreUnavailable, and RecordBroken if the topic ends before the stored inbox does.
    """
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    async with open_pool(settings.postgres) as pool:
        store = PostgresStore(pool)
        report = await rebuild.rebuild(store, me, settings.genesis_sha256, _InboxTopic(settings))
        answered = answered_commands(log)
        async with store.transaction() as tx:
            stored = await tx.stored(one.event for one in answered)
    return report, tuple(one for one in answered if one.event not in stored)


@dataclass(frozen=True, slots=True)
class _InboxTopic:
    """A member's inbox topic, read without its consumer group."""

    settings: ProcessSettings

    async def since(self, offset: int) -> AsyncGenerator[Sequence[KafkaRecord], None]:
        name = self.settings.jurisdiction
        topic, client_id = in_topic(name, self.settings.member), f"{self.settings.member}-rebuild"
        reader = RecordReader(self.settings.kafka, name, client_id=client_id, topic=topic)
        try:
            await reader.start(offset)
            end = await reader.end()
            while offset < end:
                entries = await reader.read(wait=_WAIT_SECONDS)
                if entries:
                    offset = entries[-1].offset + 1
                    yield entries
        finally:
            await reader.close()


class NotSkippable(OperationError):
    """The inbox does not wait at an entry that the exchange did not sign."""


async def skip_entry(settings: ProcessSettings, offset: int) -> None:
    """Let a stopped inbox continue after the entry at ``offset``, which the exchange did not sign.

    Raises NotSkippable and StoreUnavailable.
    """
    async with open_pool(settings.postgres, max_size=1) as pool:
        if not await PostgresStore(pool).skip_unsigned(offset):
            raise NotSkippable(
                f"cannot skip offset {offset}: the inbox of {settings.member} has not stopped there at an entry "
                "that the exchange did not sign. `handoff doctor` shows where it has stopped"
            )


async def adopt_witness(settings: ProcessSettings) -> tuple[TreeHead, TreeHead]:
    """Set a witness to the largest tree head that the checkpoints topic shows it to have cosigned.

    Returns the stored head before and after. Raises ConfigurationError for a process without a witness,
    BrokerUnavailable and StoreUnavailable.
    """
    checkpoints, origin = settings.checkpoints, Origin(settings.jurisdiction, settings.generation)
    if checkpoints is None:
        raise ConfigurationError(f"{settings.member} {_NO_WITNESS}")
    trust = TrustFile(checkpoints, origin)
    topic = CheckpointsTopic(settings.kafka, origin, client_id=f"{settings.member}-adopts")
    async with open_pool(settings.postgres) as pool:
        witness = witness_of(settings, trust, topic, pool=pool, clock=clock.now)
        if witness is None:
            raise ConfigurationError(f"{settings.member} {_NO_WITNESS}")
        memory = PostgresWitnessStore(pool)
        before = await memory.state()
        try:
            found = await _largest_cosigned(topic, witness, before)
        finally:
            await topic.close()
        await memory.adopt(found)
    return before.head, found.head


async def _largest_cosigned(topic: CheckpointsTopic, witness: Witness, known: WitnessState) -> WitnessState:
    end, at = await topic.end(), 0
    await topic.start(at)
    while at < end:
        values = await topic.read(wait=_WAIT_SECONDS)
        known = witness.recover_state(values, known)
        at = values[-1][0] + 1 if values else at
    return known
