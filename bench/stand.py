"""The test bed of races: one real broker, one real database server, and a jurisdiction for each race."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from bench.contest import Job
from bench.mixed_record import MixedRecord
from bench.race import Progress
from bench.stories import Place
from handoff.adapters.kafka.client import security
from handoff.config import JurisdictionPlan, KafkaSettings, jurisdiction_plan
from handoff.operations.setup.jurisdiction import Jurisdiction, new_passwords
from handoff.package_data import data_path
from handoff.record import signing
from handoff.record.message import Message
from handoff.record.topics import EXCHANGE, PROJECTION, record_topic
from handoff.trial.stack import TrialStack
from handoff.trial.trial import Trial, running, temporary_directory

_CONCURRENT = 2000
_LAY_OUT = (Path(__file__).parent / "lay_out.sql").read_text()


class Stand:
    """A running broker and database with one jurisdiction on them."""

    def __init__(self, stack: TrialStack, progress: Progress) -> None:
        self._stack = stack
        self._jurisdictions = 0
        self.directory = stack.directory
        self.progress = progress

    def jurisdiction(self) -> Jurisdiction:
        """A new jurisdiction with the members of the example plan, its topics, users, rights and databases."""
        self._jurisdictions += 1
        with_deadlines = jurisdiction_plan(data_path("prizren.toml"))
        plan = with_deadlines.renamed(f"bench{self._jurisdictions}")
        made = Jurisdiction(plan, self._stack.kafka_operator, self._stack.postgres_operator, new_passwords(plan))
        asyncio.run(made.apply())
        return made

    @contextmanager
    def trial(self) -> Iterator[Trial]:
        """A whole jurisdiction with every service as a separate process, on this broker and database."""
        self._jurisdictions += 1
        name = f"bench{self._jurisdictions}"
        plan = jurisdiction_plan(data_path("prizren.toml")).renamed(name)
        operators = {"kafka": self._stack.kafka_operator, "postgres": self._stack.postgres_operator}
        trial = Trial(self.directory.parent / name, plan, self.progress, **operators)
        with running(trial):
            yield trial

    def lay(self, jurisdiction: Jurisdiction, topic: str, messages: Iterable[Message]) -> int:
        """Publish ``messages`` to ``topic``, without quotas, and return its end offset."""
        return asyncio.run(_lay(_as_operator(jurisdiction), topic, iter(messages), self.progress))

    def lay_record(self, jurisdiction: Jurisdiction, size: int) -> Place:
        """A synthetic record of ``size`` entries."""
        place = Place(jurisdiction.plan)
        self.progress(f"a record of {size:,} entries is signed and published")
        self.lay(jurisdiction, record_topic(jurisdiction.name), place.record(size))
        return place

    def lay_mixed(self, jurisdiction: Jurisdiction, size: int) -> None:
        """A record of ``size`` entries of every kind, with times of their own."""
        self.progress(f"a mixed record of {size:,} entries is signed and published")
        topic = record_topic(jurisdiction.name)
        _keep_times(jurisdiction, topic)
        asyncio.run(_lay_timed(_as_operator(jurisdiction), topic, MixedRecord(jurisdiction.plan), size, self.progress))

    def job(self, jurisdiction: Jurisdiction, role: tuple[str, str], entries: int, **options: object) -> Job:
        """The job of a process that logs in to the database as ``role``; on the broker it is the operator."""
        return _job(jurisdiction, _as_operator(jurisdiction), role, entries, dict(options))

    def vacuum(self, jurisdiction: Jurisdiction) -> None:
        """Vacuum and analyze the timeline."""
        asyncio.run(_vacuum(jurisdiction))

    def projection_job(self, jurisdiction: Jurisdiction, entries: int, *, as_operator: bool, **options: object) -> Job:
        """Recreate the timeline's tables, and return the job to fill them from the first ``entries`` of the record."""
        asyncio.run(_lay_out(jurisdiction))
        kafka = _as_operator(jurisdiction) if as_operator else jurisdiction.kafka_settings(PROJECTION)
        return _job(jurisdiction, kafka, (PROJECTION, "writer"), entries, dict(options))

    def exchange_job(self, jurisdiction: Jurisdiction, entries: int, **options: object) -> Job:
        """The job to route the events in the outgoing topics."""
        return _job(jurisdiction, _as_operator(jurisdiction), (EXCHANGE, ""), entries, dict(options))


@contextmanager
def standing(progress: Progress) -> Iterator[Stand]:
    """A test bed that is deleted with all its contents at the end."""
    with temporary_directory() as directory:
        directory.mkdir()
        stack = TrialStack(directory / "stack", has_full_jit=True, progress=progress)
        try:
            stack.start()
            yield Stand(stack, progress)
        finally:
            stack.discard()


def _job(
    jurisdiction: Jurisdiction, kafka: KafkaSettings, role: tuple[str, str], entries: int, options: dict[str, object]
) -> Job:
    postgres = jurisdiction.postgres_settings(*role)
    plan: JurisdictionPlan = jurisdiction.plan
    return Job(
        jurisdiction=plan.name,
        generation=plan.generation,
        genesis_sha256=signing.sha256(Place(plan).genesis),
        entries=entries,
        bootstrap_servers=kafka.bootstrap_servers,
        kafka_user=kafka.username,
        kafka_password=kafka.password.get_secret_value(),
        postgres=postgres.model_dump(mode="json", exclude_none=True)
        | {"password": postgres.password.get_secret_value()},
        options=options,
    )


def _as_operator(jurisdiction: Jurisdiction) -> KafkaSettings:
    operator = jurisdiction.kafka
    return KafkaSettings.model_validate(
        {
            "bootstrap_servers": operator.bootstrap_servers,
            "username": operator.username,
            "password": operator.password,
            "security_protocol": "SASL_PLAINTEXT",
        }
    )


async def _lay(kafka: KafkaSettings, topic: str, messages: Iterator[Message], progress: Progress) -> int:
    producer = AIOKafkaProducer(**security(kafka), acks="all", enable_idempotence=True, max_batch_size=256 * 1024)
    await producer.start()
    laid = 0
    try:
        while some := list(islice(messages, _CONCURRENT)):
            sent = [await producer.send(topic, m.value, m.key, partition=0, headers=list(m.headers)) for m in some]
            await asyncio.gather(*sent)
            laid += len(some)
            if laid % 100_000 == 0:
                progress(f"{laid:,} entries are published")
    finally:
        await producer.stop()
    return await _end(kafka, topic)


def _keep_times(jurisdiction: Jurisdiction, topic: str) -> None:
    """Let the broker keep the times that the producer sets, instead of its own."""
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    client = jurisdiction.kafka.client()
    changed = client.incremental_alter_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])]
    )
    for done in changed.values():
        done.result()


async def _lay_timed(kafka: KafkaSettings, topic: str, record: MixedRecord, size: int, progress: Progress) -> None:
    producer = AIOKafkaProducer(**security(kafka), acks="all", enable_idempotence=True, max_batch_size=256 * 1024)
    await producer.start()
    laid, reported = 0, 0
    try:
        # The groups come from other processes; waiting for one blocks nothing that would be at work.
        for group in record.messages(size):
            sent = [
                await producer.send(
                    topic,
                    timed.message.value,
                    timed.message.key,
                    partition=0,
                    headers=list(timed.message.headers),
                    timestamp_ms=timed.appended_ms,
                )
                for timed in group
            ]
            await asyncio.gather(*sent)
            laid += len(group)
            if laid >= reported + 100_000:
                reported = laid
                progress(f"{laid:,} entries are published")
    finally:
        await producer.stop()


async def _end(kafka: KafkaSettings, topic: str) -> int:
    consumer = AIOKafkaConsumer(**security(kafka))
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, 0)])
    finally:
        await consumer.stop()
    return int(next(iter(ends.values())))


async def _vacuum(jurisdiction: Jurisdiction) -> None:
    database = jurisdiction.postgres_settings(PROJECTION, "owner").database
    connection = await asyncpg.connect(jurisdiction.postgres.dsn(database))
    try:
        await connection.execute("VACUUM ANALYZE timeline.entries, timeline.handoffs, timeline.cases")
    finally:
        await connection.close()


async def _lay_out(jurisdiction: Jurisdiction) -> None:
    """Create fresh tables; the checkpoint flushes the writes of the previous run."""
    database = jurisdiction.postgres_settings(PROJECTION, "owner").database
    connection = await asyncpg.connect(jurisdiction.postgres.dsn(database))
    try:
        await connection.execute(_LAY_OUT)
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
