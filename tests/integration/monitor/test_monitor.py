"""The monitor, on a real record and topic: it cosigns what it recomputed, and nothing else."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.kafka.verdicts_topic import VerdictsTopic
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.snapshot_store import SnapshotStore
from handoff.bootstrap.monitor import build_monitor
from handoff.config import CONFIG_VARIABLE, CheckpointSettings, ProcessSettings
from handoff.judging.verdict_statement import RunningVerdicts, VerdictStatement
from handoff.monitor.runtime import BROKEN_RECORD, Examiner, MonitoredRecord, SnapshotStorage
from handoff.node.attestation.witness import RootMismatch, WitnessHalted
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.proof.log import tree_proofs
from handoff.proof.log.checkpoint import Checkpoint, TreeHead, sign_checkpoint
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.tiles import node_reader
from handoff.proof.log.witness import AddCheckpoint
from handoff.record.delivery import invalid
from handoff.record.message import Message
from handoff.record.topics import MONITOR, PROJECTION
from handoff.trial.child_process import ChildProcess
from tests.support.parts.checkpoints import LOG, PlayedLog, witness_key
from tests.support.parts.proof_record import Appended, entries_of
from tests.support.parts.settings_file import write_settings
from tests.support.parts.small_jurisdiction import ROOT, Town, plan
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.call_counter import CallCounter
from tests.support.probes.eventually import eventually


@dataclass
class KeptSnapshot:
    """Storage of a snapshot in memory."""

    value: bytes = b""

    async def load(self) -> bytes:
        return self.value

    async def save(self, value: bytes) -> None:
        self.value = value


class StartsRecorded(RecordReader):
    """A reader that keeps the offsets from which it was started."""

    starts: tuple[int, ...] = ()

    async def start(self, offset: int) -> None:
        self.starts += (offset,)
        await super().start(offset)


@dataclass
class Watched:
    """A town whose record and log the test keeps, and its monitor."""

    town: Town
    played: PlayedLog
    log: CheckpointsTopic
    children: list[ChildProcess] = field(default_factory=list)

    async def append(self, *keys: str) -> None:
        """Puts an entry under each of these keys onto the record."""
        await self.town.append(*(Message(key.encode(), b"what was said", (("a", None), ("b", b"c"))) for key in keys))

    async def leaves(self) -> list[bytes]:
        """The record's leaves, worked out by the tests' own code."""
        reader = RecordReader(self.town.jurisdiction.kafka_settings(PROJECTION), self.town.name, client_id="test")
        try:
            await reader.start(0)
            found, end = list[Appended](), await reader.end()
            while len(found) < end:
                found += [Appended(e.offset, e.appended_ms, e.message) for e in await reader.read(wait=1)]
        finally:
            await reader.close()
        return [entry.leaf_hash() for entry in entries_of(found)]

    async def publish(self, old: int, leaves: list[bytes]) -> TreeHead:
        """Publishes the head of ``leaves`` as the log, proven from ``old``."""
        head = head_of(leaves)
        read = node_reader(lambda _level, _number: b"".join(leaves))
        proof = tree_proofs.build_proof(tree_proofs.consistency_path(old, head.size), read)
        note = sign_checkpoint(Checkpoint(self.played.origin, head), LOG)
        await self.log.publish(AddCheckpoint(old, proof, str(note).encode()))
        return head

    async def cosigned(self) -> list[TreeHead]:
        """Return the monitor's cosignatures on the topic, in order."""
        await self.log.start(0)
        end, values = await self.log.end(), list[tuple[int, bytes]]()
        while not values or values[-1][0] + 1 < end:
            values += await self.log.read(wait=0.5)
        return [found[MONITOR] for _, body in values if (found := self.played.cosigners(body))]

    async def until_cosigned(self, head: TreeHead) -> None:
        """Returns once the monitor's last word is ``head``."""

        async def last() -> bool:
            return (await self.cosigned())[-1:] == [head]

        await eventually(last)

    async def log_evidence(self) -> list[Any]:
        """Return the alarms in its database."""
        connection = await asyncpg.connect(self.town.jurisdiction.postgres_settings(MONITOR).dsn)
        try:
            return await connection.fetch("SELECT why, own, offered FROM log_evidence")
        finally:
            await connection.close()

    def settings(self) -> ProcessSettings:
        """The monitor's settings."""
        directory = self.town.directory
        key_file = directory / "monitor.key"
        key_file.write_text(witness_key(MONITOR).seed.hex())
        trust_file = self.played.write_trust_file(directory)
        return ProcessSettings(
            jurisdiction=self.town.name,
            generation=1,
            genesis_sha256="ab" * 32,
            member=MONITOR,
            kafka=self.town.jurisdiction.kafka_settings(MONITOR),
            postgres=self.town.jurisdiction.postgres_settings(MONITOR),
            checkpoints=CheckpointSettings(trust_file=trust_file, witness_key_file=key_file),
        )

    def examiner(self, reader: RecordReader, snapshots: SnapshotStorage | None = None, **options: Any) -> Examiner:
        """The monitor's examiner over ``reader``; without ``snapshots`` it has none stored."""
        record = MonitoredRecord(self.played.origin, "ab" * 32, (witness_key(MONITOR),))
        return Examiner(reader, record, snapshots or KeptSnapshot(), **options)

    @asynccontextmanager
    async def monitoring(self) -> AsyncIterator["asyncio.Task[None]"]:
        """A monitor inside the test."""
        task = asyncio.create_task(build_monitor(self.settings()).run())
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, BaseExceptionGroup):
                await task

    def start(self) -> ChildProcess:
        """A monitor as a process of its own."""
        path = write_settings(self.settings(), self.town.directory / "monitor.toml")
        child = ChildProcess(
            name=MONITOR,
            argv=(sys.executable, "-m", "services.monitor"),
            log=self.town.directory / "monitor.log",
            env={CONFIG_VARIABLE: str(path)},
            cwd=ROOT,
        )
        child.start()
        self.children.append(child)
        return child


@pytest.fixture
async def watched(jurisdictions: Jurisdictions, tmp_path: Path) -> AsyncIterator[Watched]:
    jurisdiction = await jurisdictions.on_broker(plan())
    database = Database(jurisdiction.name, MONITOR, "monitor")
    await database_setup.apply(jurisdiction.postgres, (database,), jurisdiction.passwords.postgres)
    played = PlayedLog(jurisdiction.name)
    log = CheckpointsTopic(jurisdiction.kafka_settings(PROJECTION), played.origin, client_id="log")
    found = Watched(Town(jurisdiction, tmp_path), played, log)
    try:
        yield found
    finally:
        for child in found.children:
            child.kill()
        await log.close()
        await found.town.close()


def head_of(leaves: list[bytes]) -> TreeHead:
    return TreeHead(len(leaves), Frontier().extended(leaves)[0].root)


async def halted(monitor: "asyncio.Task[None]") -> str:
    """Return the reason why a monitor has stopped cosigning."""
    with pytest.raises(BaseExceptionGroup) as group:
        await asyncio.wait_for(monitor, 30)
    (error,) = group.value.exceptions
    assert isinstance(error, WitnessHalted)
    return error.why


def keys() -> Iterator[str]:
    """Cases that come again, so that entries are chained."""
    while True:
        yield from ("town", "one", "two", "one")


async def test_it_cosigns_a_root_that_the_record_gives_and_halts_at_one_that_it_does_not(watched: Watched) -> None:
    """The wrong root is signed by the log and follows from the head before: only who reads the record finds it."""
    names = keys()
    await watched.append(*(next(names) for _ in range(7)))
    leaves = await watched.leaves()
    async with watched.monitoring() as monitor:
        await watched.until_cosigned(await watched.publish(0, leaves))
        await watched.append(*(next(names) for _ in range(4)))
        await watched.publish(7, [*leaves, *[bytes(32)] * 4])
        assert await halted(monitor) == "differs"
    ((why, own, offered),) = await watched.log_evidence()
    assert (why, b"\n7\n" in own, b"\n11\n" in offered) == ("differs", True, True)

    await watched.publish(7, await watched.leaves())
    async with watched.monitoring() as monitor:
        assert await halted(monitor) == "differs"
    assert [head.size for head in await watched.cosigned()] == [7]


async def test_a_head_ahead_of_the_record_waits_until_the_record_gets_there(watched: Watched) -> None:
    await watched.append("one", "two", "one")
    reader = RecordReader(watched.town.jurisdiction.kafka_settings(MONITOR), watched.town.name, client_id="test")
    reads = CallCounter(reader, "read")
    examined = asyncio.create_task(watched.examiner(reader).examine(TreeHead(4, bytes(32))))
    try:
        # The first read returns the three entries, the next ones nothing.
        await reads.more(3)
        assert not examined.done()
        await watched.append("two")
        with pytest.raises(RootMismatch):
            await asyncio.wait_for(examined, 60)
    finally:
        examined.cancel()
        await reader.close()


async def test_a_record_that_stays_behind_a_signed_head_is_truncated_and_one_that_goes_back_is_read_again(
    watched: Watched,
) -> None:
    await watched.append("one", "two", "one")
    leaves = await watched.leaves()
    reader = RecordReader(watched.town.jurisdiction.kafka_settings(MONITOR), watched.town.name, client_id="test")
    examiner = watched.examiner(reader, patience_seconds=0.2)
    try:
        await examiner.examine(head_of(leaves))
        await examiner.examine(head_of(leaves[:2]))
        with pytest.raises(WitnessHalted, match="record_truncated"):
            await examiner.examine(TreeHead(4, bytes(32)))
    finally:
        await reader.close()


async def test_it_trusts_no_database_for_the_tree_and_finds_a_record_that_was_changed_since(watched: Watched) -> None:
    await watched.append("one", "two", "one")
    async with watched.monitoring():
        await watched.until_cosigned(await watched.publish(0, await watched.leaves()))
    owner = await asyncpg.connect(watched.town.jurisdiction.postgres_settings(MONITOR, "owner").dsn)
    await owner.execute("UPDATE witness SET root = sha256('another record')")
    await owner.close()
    async with watched.monitoring() as monitor:
        # The topic shows it first where it still holds what was cosigned; without that, the record would.
        assert await halted(monitor) in {"forgotten", "differs"}


async def test_a_monitor_process_resumes_after_a_kill_stops_on_sigterm_and_exits_on_a_broken_record(
    watched: Watched,
) -> None:
    await watched.append("one", "two", "one")
    monitor = watched.start()
    await watched.until_cosigned(await watched.publish(0, await watched.leaves()))
    monitor.kill()
    await watched.append("one")
    head = await watched.publish(3, await watched.leaves())
    again = watched.start()
    await watched.until_cosigned(head)
    assert await asyncio.to_thread(again.terminate) == 0
    leaves = await watched.leaves()
    await watched.append("two")
    await watched.publish(4, [*leaves, bytes(32)])
    last = watched.start()

    async def ended() -> bool:
        return not last.running

    await eventually(ended)
    assert last.exit_code == BROKEN_RECORD


async def test_a_restart_reads_the_record_from_the_snapshot_on(watched: Watched) -> None:
    """A snapshot of another monitor, or one that the database changed, counts for nothing."""
    await watched.append("one", "two", "one", "two")
    leaves = await watched.leaves()
    stored = KeptSnapshot()
    settings = watched.town.jurisdiction.kafka_settings(MONITOR)

    async def starts(snapshot: KeptSnapshot) -> tuple[int, ...]:
        reader = StartsRecorded(settings, watched.town.name, client_id="test")
        examiner = watched.examiner(reader, snapshot, least_growth=1)
        try:
            for size in (3, 4):
                await examiner.examine(head_of(leaves[:size]))
        finally:
            await reader.close()
        return reader.starts

    assert await starts(stored) == (0,)
    assert await starts(KeptSnapshot(stored.value)) == (2,)
    edited = stored.value[:-1] + bytes([stored.value[-1] ^ 1])
    assert await starts(KeptSnapshot(edited)) == (0,)


async def test_the_snapshot_is_in_the_database(watched: Watched) -> None:
    """Its parts are put together again."""
    async with open_pool(watched.settings().postgres, max_size=1) as pool:
        store = SnapshotStore(pool)
        assert await store.load() == b""
        for value in (bytes(range(256)) * 10_000, b"a shorter one"):
            await store.save(value)
            assert await store.load() == value


async def test_the_digest_of_verdicts_is_published_under_the_monitor_s_key(watched: Watched) -> None:
    """It is about the head that the monitor cosigned, and beside the log."""
    await watched.append("one", "two", "one")
    topic = VerdictsTopic(watched.town.jurisdiction.kafka_settings(PROJECTION), watched.played.origin, client_id="test")
    found = list[bytes]()

    async def published() -> bool:
        found.extend(filter(None, [await topic.newest()]))
        return bool(found)

    try:
        async with watched.monitoring():
            await watched.until_cosigned(await watched.publish(0, await watched.leaves()))
            await eventually(published)
    finally:
        await topic.close()
    expected = RunningVerdicts()
    for offset in range(3):
        expected.add(offset, 0, invalid("malformed"))
    statement = VerdictStatement.open(found[0], watched.played.cosigner(MONITOR))
    assert statement == expected.statement(str(watched.played.origin))
