"""A jurisdiction at a standstill: what an operator may change while none of its processes is at work."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from handoff.config import PostgresSettings, ProcessSettings
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.operations.topic_copy import TopicCopy, apply_copy
from handoff.record.topics import EXCHANGE, PROJECTION, Topic, record_topic, topics

_AT_WORK = """
SELECT DISTINCT datname FROM pg_stat_activity
 WHERE datname = ANY($1::text[]) AND backend_type = 'client backend' AND pid <> pg_backend_pid()
 ORDER BY datname
"""


class NotReadyForMaintenance(Exception):
    """The jurisdiction is not as this work needs it: do what the sentence says, and run it again."""


@dataclass(frozen=True, slots=True)
class MaintenanceSession:
    """The broker's and the database's operators, every process's settings by name, and where copies lie.

    ``owner`` is how the timeline's owner logs in.
    """

    kafka: KafkaOperator
    postgres: DatabaseOperator
    members: tuple[str, ...]
    processes: Mapping[str, ProcessSettings]
    owner: PostgresSettings
    copies: Path

    @property
    def exchange(self) -> ProcessSettings:
        return self.processes[EXCHANGE]

    @property
    def projection(self) -> ProcessSettings:
        """The projection's settings, in the role that owns the timeline."""
        return self.processes[PROJECTION].model_copy(update={"postgres": self.owner})

    @property
    def nodes(self) -> tuple[ProcessSettings, ...]:
        """The members that have a process, and so a database."""
        return tuple(self.processes[member] for member in self.members if member in self.processes)

    @property
    def jurisdiction(self) -> str:
        return self.exchange.jurisdiction

    @property
    def topics(self) -> tuple[Topic, ...]:
        return topics(self.jurisdiction, self.members)

    @property
    def record(self) -> Topic:
        """The record's topic."""
        name = record_topic(self.jurisdiction)
        return next(topic for topic in self.topics if topic.name == name)

    def copy_of(self, topic: Topic) -> TopicCopy:
        """Where what a topic is to hold lies until it does."""
        return TopicCopy(self.copies / topic.name)

    @asynccontextmanager
    async def database(self, process: ProcessSettings) -> AsyncIterator[asyncpg.Connection]:
        """A process's database, as whoever may do anything."""
        connection = await asyncpg.connect(self.postgres.dsn(process.postgres.database))
        try:
            yield connection
        finally:
            await connection.close()

    async def check(self) -> None:
        """Looks that nobody is at work, and ends what was begun before. Raises NotReadyForMaintenance.

        Every process holds a connection to its database for as long as it lives, a frozen one too.
        """
        names = [process.postgres.database for process in self.processes.values()]
        connection = await asyncpg.connect(self.postgres.dsn())
        try:
            busy = [row["datname"] for row in await connection.fetch(_AT_WORK, names)]
        finally:
            await connection.close()
        if busy:
            raise NotReadyForMaintenance(f"somebody is at work in {', '.join(busy)}: stop every service first")
        for topic in self.topics:
            if (copy := self.copy_of(topic)).exists:
                await apply_copy(self.kafka, topic, copy)
