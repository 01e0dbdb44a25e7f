"""A whole jurisdiction on this machine: broker, database, and every service as a process of its own."""

import asyncio
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from handoff import clock
from handoff.adapters.files.private_file import private_directory
from handoff.config import JurisdictionPlan, LogSettings
from handoff.operations.setup.admissions import wait_until_admitted
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.founding import found
from handoff.operations.setup.installation import Installation
from handoff.operations.setup.jurisdiction import Jurisdiction, stored_passwords
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.operations.setup.operator_logins import write_operator_logins
from handoff.trial import service_process
from handoff.trial.child_process import SupervisedProcess
from handoff.trial.log_rotation import LogFile
from handoff.trial.os_user import discard_server_data
from handoff.trial.restarts import Restarts
from handoff.trial.stack import TrialStack
from handoff.trial.supervisor import Progress, Supervisor


class Trial:
    """A jurisdiction in a state directory. After a restart it has the same ports and the same data."""

    def __init__(
        self,
        directory: Path,
        plan: JurisdictionPlan,
        progress: Progress,
        *,
        kafka: KafkaOperator | None = None,
        postgres: DatabaseOperator | None = None,
        brokers: Literal[1, 3] = 1,
    ) -> None:
        self.directory = directory.absolute()
        private_directory(self.directory)
        self._progress = progress
        self.stack = stack = TrialStack(self.directory / "stack", brokers=brokers, progress=progress)
        self._starts_kafka, self._starts_postgres = kafka is None, postgres is None
        passwords = stored_passwords(plan, self.directory / "passwords.json")
        self.jurisdiction = Jurisdiction(
            plan, kafka or stack.kafka_operator, postgres or stack.postgres_operator, passwords
        )
        self.installation = Installation(self.directory, self.jurisdiction, stack.service_port)
        self.supervisor = Supervisor((), self.directory / "logs")
        self._restarts = Restarts()

    def start(self) -> None:
        """Start everything and wait until each part is ready. Raises TrialError or a set-up error."""
        service_process.prepare()
        self.start_parts()
        self.found()
        self.supervisor.start(self._progress)
        self._wait_until_admitted()

    def start_parts(self) -> None:
        """Start the broker and the database that were not given, and set up each as soon as it is ready. Idempotent.

        The set-up is topics, users and ACLs; databases, roles and tables.
        """
        write_operator_logins(
            self.directory,
            self.jurisdiction.kafka if self._starts_kafka else None,
            self.jurisdiction.postgres if self._starts_postgres else None,
        )
        pool = ThreadPoolExecutor(2, thread_name_prefix="part")
        try:
            for done in as_completed([pool.submit(self._start_kafka), pool.submit(self._start_postgres)]):
                self._progress(done.result())
        except BaseException:
            # The other thread may still wait for its part: it ends when that part does.
            self.stack.kill()
            raise
        finally:
            pool.shutdown()

    def _start_kafka(self) -> str:
        if self._starts_kafka:
            self._progress(self.stack.start_kafka())
        asyncio.run(self.jurisdiction.apply_broker())
        return "topics, users and ACLs are set up"

    def _start_postgres(self) -> str:
        if self._starts_postgres:
            self._progress(self.stack.start_postgres())
        asyncio.run(self.jurisdiction.apply_databases())
        return "databases, roles and tables are set up"

    def found(self) -> None:
        """Write keys and configurations, and store the founding events for sending. Idempotent."""
        self.supervisor = Supervisor(asyncio.run(found(self.installation, clock.now())), self.directory / "logs")
        self._progress("keys and configurations are written, and the admissions are stored for sending")

    def _wait_until_admitted(self) -> None:
        events = tuple(self.installation.founding_events(clock.now()))
        try:
            asyncio.run(wait_until_admitted(self.installation.coordinator_database, events))
        except BaseException:
            self.supervisor.stop()
            raise
        self._progress("the jurisdiction is founded and its members are admitted")

    def supervise(self) -> Iterator[str]:
        """Start brokers, database and services that ended, and services that `handoff init` added.

        Also rotates the logs of brokers and database. Yields a sentence for each event.
        """
        for part in self._started_parts:
            LogFile(part.log, LogSettings()).rotate_by_copy()
        yield from self._restarts.check(self._started_parts)
        if self.supervisor.processes:
            for name in self.supervisor.start_added(self.installation.processes()):
                yield f"{name} was added and is started."
        yield from self.supervisor.restart_ended()

    @property
    def _started_parts(self) -> Iterator[SupervisedProcess]:
        if self._starts_kafka:
            yield from self.stack.kafka.brokers
        if self._starts_postgres:
            yield self.stack.postgres.process

    def stop(self) -> None:
        """Stop the services, then the broker and the database."""
        self.supervisor.stop()
        self.stack.stop()
        self.stack.close()

    def discard(self) -> None:
        """Kill everything and remove all data."""
        self.supervisor.stop()
        self.stack.discard()


@contextmanager
def running(trial: Trial, *, services: bool = True) -> Iterator[Trial]:
    """Start ``trial`` or, without ``services``, its broker and database alone; stop it at the end in any case."""
    try:
        if services:
            trial.start()
        else:
            trial.start_parts()
        yield trial
    finally:
        trial.stop()


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """State directory that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="handoff-", ignore_cleanup_errors=True) as name:
        try:
            yield Path(name) / "state"
        finally:
            discard_server_data(Path(name))
