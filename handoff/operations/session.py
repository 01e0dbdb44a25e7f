"""Maintenance session: work on a jurisdiction's topics and databases while none of its processes runs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from handoff.config import PostgresSettings, ProcessSettings
from handoff.operations.errors import OperationError
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.operations.topic_copy import TopicCopy, apply_copy, read_groups, read_topic
from handoff.record.kafka_record import KafkaRecord
from handoff.record.topics import EXCHANGE, PROJECTION, Topic, record_topic, topics

_CONNECTED = """
SELECT DISTINCT datname FROM pg_stat_activity
 WHERE datname = ANY($1::text[]) AND backend_type = 'client backend' AND pid <> pg_backend_pid()
 ORDER BY datname
"""


class NotReadyForMaintenance(OperationError):
    """A precondition of the maintenance is not met. The message has the action to take before the next attempt."""


@dataclass(frozen=True, slots=True)
class MaintenanceSession:
    """Operators of brokers and databases, settings of each process by name, and the directory of topic copies.

    ``owner`` is the login that owns the timeline's schema.
    """

    kafka: KafkaOperator
    postgres: DatabaseOperator
    members: tuple[str, ...]
    processes: Mapping[str, ProcessSettings]
    owner: PostgresSettings
    copies: Path

    @classmethod
    def of(
        cls,
        installed: InstallationSettings,
        kafka: KafkaOperator,
        postgres: DatabaseOperator,
        *,
        copies: Path | None = None,
    ) -> "MaintenanceSession":
        """Session on an installation. Copies go to ``copies`` under its directory by default.

        Raises ConfigurationError.
        """
        return cls(
            kafka=kafka,
            postgres=postgres,
            members=installed.members,
            processes={name: installed.process(name) for name in (EXCHANGE, PROJECTION)}
            | {settings.member: settings for settings in installed.processes},
            owner=installed.timeline_owner,
            copies=copies or installed.directory / "copies",
        )

    @property
    def exchange(self) -> ProcessSettings:
        """Settings of the exchange."""
        return self.processes[EXCHANGE]

    @property
    def projection(self) -> ProcessSettings:
        """Settings of the projection, with the login that owns the timeline's schema."""
        return self.processes[PROJECTION].model_copy(update={"postgres": self.owner})

    @property
    def nodes(self) -> tuple[ProcessSettings, ...]:
        """Settings of the members that have a process, and therefore a database."""
        return tuple(self.processes[member] for member in self.members if member in self.processes)

    @property
    def jurisdiction(self) -> str:
        """Name of the jurisdiction."""
        return self.exchange.jurisdiction

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All topics of the jurisdiction."""
        return topics(self.jurisdiction, self.members)

    @property
    def record(self) -> Topic:
        """The record's topic."""
        name = record_topic(self.jurisdiction)
        return next(topic for topic in self.topics if topic.name == name)

    def copy_of(self, topic: Topic) -> TopicCopy:
        """Copy of a topic's new content, which exists until the topic has that content."""
        return TopicCopy(self.copies / topic.name)

    @asynccontextmanager
    async def database(self, process: ProcessSettings) -> AsyncIterator[asyncpg.Connection]:
        """Open a superuser's connection to a process's database."""
        connection = await asyncpg.connect(self.postgres.dsn(process.postgres.database))
        try:
            yield connection
        finally:
            await connection.close()

    async def check(self) -> None:
        """Check that no process runs; change nothing. Raises NotReadyForMaintenance.

        A process holds a connection to its database as long as it exists, also while it is frozen.
        """
        names = [process.postgres.database for process in self.processes.values()]
        connection = await asyncpg.connect(self.postgres.dsn())
        try:
            connected = [row["datname"] for row in await connection.fetch(_CONNECTED, names)]
        finally:
            await connection.close()
        if connected:
            raise NotReadyForMaintenance(f"clients are connected to {', '.join(connected)}: stop every service first")

    @property
    def interrupted(self) -> tuple[Topic, ...]:
        """Topics whose replacement was interrupted."""
        return tuple(topic for topic in self.topics if self.copy_of(topic).exists)

    async def resume(self) -> None:
        """Check that no process runs, then complete interrupted replacements of topics.

        Raises NotReadyForMaintenance and TopicCopyMismatch.
        """
        await self.check()
        for topic in self.interrupted:
            await apply_copy(self.kafka, topic, self.copy_of(topic))

    async def replace_content(self, topic: Topic, entries: AsyncIterator[KafkaRecord]) -> None:
        """Replace the content of ``topic`` with ``entries``. Raises TopicCopyMismatch."""
        copy = self.copy_of(topic)
        committed = await read_groups(self.kafka, self.jurisdiction, topic)
        await copy.write(committed, read_topic(self.kafka, topic.name), entries)
        await apply_copy(self.kafka, topic, copy)
