"""A witness in an agency's node, on a real database and a real topic: it never cosigns two records."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest
import structlog

from handoff import clock
from handoff.adapters.kafka.checkpoint_watch import CheckpointWatch
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.node_attestation import NodeAttestation
from handoff.adapters.postgres.proof_store import ProofStore
from handoff.adapters.postgres.witness_store import PostgresWitnessStore
from handoff.config import CONFIG_VARIABLE, CheckpointSettings, ProcessSettings
from handoff.node.attestation.quorum import QuorumTracker
from handoff.node.attestation.witness import Publish, Witness, WitnessBehind, WitnessHalted, WitnessState
from handoff.operations.node_recovery import adopt_witness
from handoff.proof.log.checkpoint import EMPTY_TREE_HEAD, TreeHead
from handoff.proof.log.signer import Cosigner
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.topics import PROJECTION
from handoff.wakeup import Wakeup
from tests.support.dsl.builders import T0
from tests.support.parts.checkpoints import FORK, LEAVES, PlayedLog, bodies, witness_key
from tests.support.parts.node_parts import Parts, node_parts
from tests.support.parts.settings_file import write_settings
from tests.support.parts.small_jurisdiction import ROOT
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually

_GENERATIONS = count(1)


@pytest.fixture(scope="module")
async def _parts(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    async with node_parts(jurisdictions, tmp_path_factory.mktemp("witness"), ("police",)) as (police,):
        yield police


@pytest.fixture
async def police(_parts: Parts) -> Parts:
    """The police's parts; the witness has seen nothing yet."""
    await _parts.wipe()
    return _parts


@pytest.fixture
def played(police: Parts) -> PlayedLog:
    """A log that shares the topic with those of other tests."""
    return PlayedLog(police.town.name, generation=next(_GENERATIONS))


class Published(list[AddCheckpoint]):
    """List of the requests that a witness published."""

    async def take(self, request: AddCheckpoint) -> None:
        self.append(request)


def witness(police: Parts, played: PlayedLog, publish: Publish) -> Witness:
    cosigner = Cosigner.of(played.jurisdiction, "police", witness_key("police"))
    return Witness(PostgresWitnessStore(police.pool), played.key, cosigner, publish, lambda: T0)


async def state(police: Parts) -> WitnessState:
    return await PostgresWitnessStore(police.pool).state()


async def test_a_witness_cosigns_what_its_head_has_grown_into(police: Parts, played: PlayedLog) -> None:
    inbox = Published()
    cosigner = witness(police, played, inbox.take)
    assert await cosigner.begin() == 0
    await cosigner.process(bodies([played.request(0, 7)]))
    await cosigner.process(bodies([played.request(7, 13)], first=1))
    assert [played.cosigners(request.encode()) for request in inbox] == [
        {"police": played.head(7)},
        {"police": played.head(13)},
    ]
    assert (await state(police)).head == played.head(13)


async def test_a_cosignature_is_not_in_the_log_at_the_default_level(police: Parts, played: PlayedLog) -> None:
    """It repeats at every checkpoint, and would be most of an idle node's log."""
    cosigner = witness(police, played, Published().take)
    await cosigner.begin()
    with structlog.testing.capture_logs() as lines:
        await cosigner.process(bodies([played.request(0, 7)]))
    assert [(line["event"], line["log_level"]) for line in lines] == [("witness.cosigned", "debug")]


async def test_the_head_is_stored_before_it_is_cosigned(police: Parts, played: PlayedLog) -> None:
    stored: list[TreeHead] = []

    async def look(_request: AddCheckpoint) -> None:
        stored.append((await state(police)).head)

    cosigner = witness(police, played, look)
    await cosigner.begin()
    await cosigner.process(bodies([played.request(0, 7)]))
    assert stored == [played.head(7)]


async def test_a_witness_that_died_between_storing_and_cosigning_cosigns_the_same_again(
    police: Parts, played: PlayedLog
) -> None:
    async def die(_request: AddCheckpoint) -> None:
        raise asyncio.CancelledError

    values = bodies([played.request(0, 7), played.request(7, 13), played.cosigned(played.request(7, 13), "shelter")])
    first = witness(police, played, die)
    await first.begin()
    with pytest.raises(asyncio.CancelledError):
        await first.process(values)
    inbox = Published()
    second = witness(police, played, inbox.take)
    begun_at = await second.begin()
    assert begun_at == 1
    await second.process(values[begun_at:])
    assert [played.cosigners(request.encode()) for request in inbox] == [{"police": played.head(13)}]


async def test_an_unchanged_head_is_cosigned_again_at_each_signed_checkpoint(police: Parts, played: PlayedLog) -> None:
    """The time in a cosignature is what shows that the record is still the same; others' copies ask for nothing."""
    inbox = Published()
    cosigner = witness(police, played, inbox.take)
    await cosigner.begin()
    again = played.request(7, 7)
    for value in bodies([played.request(0, 7), played.cosigned(played.request(0, 7), "shelter"), again]):
        await cosigner.process([value])
    assert [request.old_size for request in inbox] == [0, 7]


async def test_a_forked_head_is_refused_and_both_are_kept(police: Parts, played: PlayedLog) -> None:
    inbox = Published()
    cosigner = witness(police, played, inbox.take)
    await cosigner.begin()
    await cosigner.process(bodies([played.request(0, 13)]))
    forked = played.request(0, 13, FORK)
    with pytest.raises(WitnessHalted, match="forked"):
        await cosigner.process(bodies([forked], first=1))
    (kept,) = await police.query("log_evidence")
    assert tuple(kept) == ("forked", str(played.note(13)).encode(), forked.encode())
    assert len(inbox) == 1
    with pytest.raises(WitnessHalted, match="forked"):
        await witness(police, played, inbox.take).begin()


async def test_a_grown_fork_is_never_cosigned_and_a_bad_proof_stops_no_witness(
    police: Parts, played: PlayedLog
) -> None:
    """Any cosigner may write a proof of its own onto the topic: it is kept as evidence and believed by no one."""
    inbox = Published()
    cosigner = witness(police, played, inbox.take)
    await cosigner.begin()
    bad = replace(played.request(7, 13), proof=())
    await cosigner.process(bodies([played.request(0, 7), played.request(7, 13, FORK), bad, bad]))
    assert (await state(police)).head == played.head(7)
    assert len(await police.query("inconsistency_evidence")) == 2
    await cosigner.process(bodies([played.request(7, 13)], first=4))
    assert [played.cosigners(request.encode()) for request in inbox] == [
        {"police": played.head(7)},
        {"police": played.head(13)},
    ]


async def test_nonsense_on_the_topic_changes_nothing(police: Parts, played: PlayedLog) -> None:
    inbox = Published()
    cosigner = witness(police, played, inbox.take)
    await cosigner.begin()
    stranger = PlayedLog(police.town.name, generation=999_999)
    forged = replace(played.request(0, 9), note=stranger.request(0, 9).note)
    await cosigner.process([(0, b""), (1, b"old 0\n\n"), (2, b"\xff" * 99), (3, forged.encode())])
    assert (await state(police), inbox) == (WitnessState(), [])


async def test_of_two_processes_one_moves_on_and_the_other_follows(police: Parts, played: PlayedLog) -> None:
    """Both may have seen another record: only what follows from the stored head is ever cosigned."""
    inbox, untold = Published(), Published()
    one, other = witness(police, played, inbox.take), witness(police, played, untold.take)
    await one.begin()
    await other.begin()
    await one.process(bodies([played.request(0, 7)]))
    await other.process(bodies([played.request(0, 9, FORK)]))
    assert (len(inbox), untold) == (1, [])
    assert other.state.head == played.head(7)


async def test_a_witness_with_state_older_than_its_cosignatures_does_not_start(
    police: Parts, played: PlayedLog
) -> None:
    inbox = Published()
    cosigner = witness(police, played, inbox.take)
    await cosigner.begin()
    await cosigner.process(bodies([played.request(0, 7)]))
    published = played.cosigned(played.request(7, 13), "police")
    with pytest.raises(WitnessHalted, match="forgotten"):
        cosigner.check_published(bodies([played.request(7, 13), published], first=1))
    cosigner.check_published(bodies([played.cosigned(played.request(7, 13), "shelter")], first=1))


async def test_a_lagging_witness_asks_for_the_topic_from_its_beginning_once(police: Parts, played: PlayedLog) -> None:
    cosigner = witness(police, played, Published().take)
    await cosigner.begin()
    await cosigner.process(bodies([played.request(0, 7)]))
    gap = bodies([played.request(9, 13)], first=5)
    with pytest.raises(WitnessBehind):
        await cosigner.process(gap)
    await cosigner.begin()
    await cosigner.process(gap)
    assert cosigner.state.head == played.head(7)


@pytest.mark.parametrize("seed", range(6))
async def test_in_any_order_of_requests_one_record_is_cosigned(police: Parts, played: PlayedLog, seed: int) -> None:
    """Two processes of one member, a log that forks, values that come again, and crashes where it hurts most."""
    chance, inbox = Random(seed), list[TreeHead]()

    async def publish(request: AddCheckpoint) -> None:
        if chance.random() < 0.3:
            raise BrokerUnavailable
        inbox.append(played.cosigners(request.encode())["police"])

    processes = [witness(police, played, publish) for _ in range(2)]
    for process in processes:
        await process.begin()
    for _ in range(60):
        process = chance.choice(processes)
        old = process.state.head.size if chance.random() < 0.7 else chance.randrange(20)
        size = min(old + chance.randrange(4), 40)
        requests = [played.request(old, size, chance.choice((LEAVES, FORK)))] * chance.randrange(1, 3)
        try:
            await process.process(bodies(requests))
        except (BrokerUnavailable, WitnessBehind):
            await process.begin()
        except WitnessHalted:
            break
    assert inbox
    assert any(all(head == played.head(head.size, record) for head in inbox) for record in (LEAVES, FORK))
    assert (await state(police)).head.size >= max(head.size for head in inbox)


# On the topic


def topic(police: Parts, played: PlayedLog, principal: str) -> CheckpointsTopic:
    settings = police.town.jurisdiction.kafka_settings(principal)
    return CheckpointsTopic(settings, played.origin, client_id=f"test-{principal}")


@asynccontextmanager
async def watching(police: Parts, played: PlayedLog) -> AsyncIterator["asyncio.Task[None]"]:
    """A witness as it runs in a node."""
    own = topic(police, played, "police")
    task = asyncio.create_task(CheckpointWatch(own, witness(police, played, own.publish)).run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, WitnessHalted):
            await task


@asynccontextmanager
async def log_of(police: Parts, played: PlayedLog) -> AsyncIterator[CheckpointsTopic]:
    """The topic as the projection has it."""
    found = topic(police, played, PROJECTION)
    try:
        yield found
    finally:
        await found.close()


async def cosigned(log: CheckpointsTopic, played: PlayedLog) -> list[TreeHead]:
    """The heads that the police have cosigned on the topic, in order."""
    await log.start(0)
    end, values = await log.end(), list[tuple[int, bytes]]()
    while not values or values[-1][0] + 1 < end:
        values += await log.read(wait=0.5)
    own = [body for _, body in values if body.split(b"\n\n")[1].startswith(f"{played.origin}\n".encode())]
    return [found["police"] for body in own if (found := played.cosigners(body))]


async def test_a_lagging_witness_walks_over_what_is_kept(police: Parts, played: PlayedLog) -> None:
    async with log_of(police, played) as log:
        for old, size in ((0, 2), (2, 7), (7, 7), (7, 20)):
            await log.publish(played.request(old, size))
        async with watching(police, played):
            await eventually(lambda: _has(police, played.head(20)))
            await eventually(lambda: _last(log, played, played.head(20)))
            await log.publish(played.request(20, 33))
            await eventually(lambda: _last(log, played, played.head(33)))


# aiokafka leaves a connection behind where it is broken off between connecting and logging in.
@pytest.mark.filterwarnings("ignore:Unclosed AIOKafkaConnection:ResourceWarning")
async def test_a_witness_that_is_ended_at_any_moment_cosigns_one_record(police: Parts, played: PlayedLog) -> None:
    async with log_of(police, played) as log:
        for size in range(12):
            await log.publish(played.request(size, size + 1))
            async with watching(police, played):
                await asyncio.sleep(0.02 * size)
        async with watching(police, played):
            await eventually(lambda: _last(log, played, played.head(12)))
        assert all(head == played.head(head.size) for head in await cosigned(log, played))
    # Here, not in a test that has nothing to do with it.
    gc.collect()


async def test_a_witness_that_lost_its_database_refuses_and_is_not_shown_a_fork(
    police: Parts, played: PlayedLog
) -> None:
    async with log_of(police, played) as log:
        await log.publish(played.request(0, 7))
        async with watching(police, played):
            await eventually(lambda: _last(log, played, played.head(7)))
        await police.wipe()
        await log.publish(played.request(0, 9, FORK))
        async with watching(police, played) as task:
            with pytest.raises(WitnessHalted, match="forgotten"):
                await asyncio.wait_for(task, 20)
        assert await cosigned(log, played) == [played.head(7)]
        assert (await state(police)).head == EMPTY_TREE_HEAD


async def test_an_operator_resumes_a_witness_that_lost_its_database(police: Parts, played: PlayedLog) -> None:
    async with log_of(police, played) as log:
        for old, size in ((0, 7), (7, 13)):
            await log.publish(played.request(old, size))
            async with watching(police, played):
                await eventually(lambda: _last(log, played, played.head(size)))  # noqa: B023 - awaited in its turn
        await police.wipe()
        assert await adopt_witness(_settings(police, played)) == (EMPTY_TREE_HEAD, played.head(13))
        assert await adopt_witness(_settings(police, played)) == (played.head(13), played.head(13))
        await log.publish(played.request(13, 20))
        async with watching(police, played):
            await eventually(lambda: _last(log, played, played.head(20)))


async def test_a_witness_that_was_killed_between_storing_and_answering_cosigns_the_same_again(
    police: Parts, played: PlayedLog
) -> None:
    async with log_of(police, played) as log:
        await log.publish(played.request(0, 7))
        await log.publish(played.request(7, 13))
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.parts.killed_witness", cwd=ROOT,
            env={**os.environ, CONFIG_VARIABLE: str(_settings_file(police, played))},
        )  # fmt: skip
        assert await asyncio.wait_for(killed.wait(), 30) == -signal.SIGKILL
        assert ((await state(police)).head, await cosigned(log, played)) == (played.head(13), [])
        await log.publish(played.request(7, 20, FORK))
        async with watching(police, played):
            await eventually(lambda: _last(log, played, played.head(13)))
            await log.publish(played.request(13, 20))
            await eventually(lambda: _last(log, played, played.head(20)))


def _settings(police: Parts, played: PlayedLog) -> ProcessSettings:
    directory = police.town.directory
    key_file = directory / "police.witness.key"
    key_file.write_text(witness_key("police").seed.hex())
    checkpoints = CheckpointSettings(trust_file=played.write_trust_file(directory), witness_key_file=key_file)
    return police.settings().model_copy(update={"generation": played.generation, "checkpoints": checkpoints})


def _settings_file(police: Parts, played: PlayedLog) -> Path:
    return write_settings(_settings(police, played), police.town.directory / "witness.toml")


async def test_a_node_with_a_halted_witness_still_sees_the_quorum(police: Parts, played: PlayedLog) -> None:
    settings = _settings(police, played)
    assert settings.checkpoints is not None
    sealing = NodeAttestation(settings, settings.checkpoints, police.pool, clock.now)
    task = asyncio.create_task(sealing.run())
    try:
        async with log_of(police, played) as log:
            await log.publish(played.request(0, 7))
            await eventually(lambda: _last(log, played, played.head(7)))
            await log.publish(played.request(0, 7, FORK))
            await eventually(lambda: _is(sealing.failures == {"witness": "forked"}))
            await log.publish(played.cosigned(played.request(7, 13), "monitor", "shelter", "police"))
            await eventually(lambda: _proves(police, 13))
        assert (await state(police)).head == played.head(7)
    finally:
        task.cancel()


async def test_a_topic_that_ends_before_what_was_read_halts_a_witness_and_others_read_it_again(
    police: Parts, played: PlayedLog
) -> None:
    async with log_of(police, played) as log:
        await log.publish(played.cosigned(played.request(0, 7), "monitor", "shelter", "police"))
        await police.query("move_witness_past_the_end")
        await police.query("move_proven_past_the_end")
        async with watching(police, played) as task:
            with pytest.raises(WitnessHalted, match="checkpoints_lost"):
                await asyncio.wait_for(task, 20)
        quorum = QuorumTracker(ProofStore(police.pool), lambda: played.trust, played.origin, Wakeup())
        reading = asyncio.create_task(CheckpointWatch(topic(police, played, "police"), None, quorum).run())
        try:
            await eventually(lambda: _proves(police, 7))
        finally:
            reading.cancel()


async def _is(value: object) -> bool:
    return bool(value)


async def _proves(police: Parts, size: int) -> bool:
    return bool(await police.query("proven_checkpoint", size))


async def _has(police: Parts, head: TreeHead) -> bool:
    return (await state(police)).head == head


async def _last(log: CheckpointsTopic, played: PlayedLog, head: TreeHead) -> bool:
    return (await cosigned(log, played))[-1:] == [head]
