"""A whole jurisdiction running on this machine: the broker, the database, and every service as its own process."""

import asyncio
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from handoff import clock
from handoff.config import JurisdictionPlan
from handoff.operations.node_recovery import store_events
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.installation import Installation
from handoff.operations.setup.jurisdiction import Jurisdiction, stored_passwords
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.envelope import COORDINATION
from handoff.trial import service_process
from handoff.trial.stack import TrialStack
from handoff.trial.supervisor import Progress, Supervisor


class Trial:
    """A jurisdiction in a state directory, which survives stop and start with the same ports and contents."""

    def __init__(
        self,
        directory: Path,
        plan: JurisdictionPlan,
        progress: Progress,
        *,
        kafka: KafkaOperator | None = None,
        postgres: DatabaseOperator | None = None,
        brokers: Literal[1, 3] = 1,
        join: bool = False,
    ) -> None:
        self.directory = directory.absolute()
        self._progress = progress
        self.stack = stack = TrialStack(self.directory / "stack", brokers=brokers, progress=progress, join=join)
        self._starts_kafka = kafka is None and not stack.runs_elsewhere
        self._starts_postgres = postgres is None and not stack.runs_elsewhere
        passwords = stored_passwords(plan, self.directory / "passwords.json")
        self.jurisdiction = Jurisdiction(
            plan, kafka or stack.kafka_operator, postgres or stack.postgres_operator, passwords
        )
        self.installation = Installation(self.directory, self.jurisdiction, stack.service_port)
        self.supervisor = Supervisor((), self.directory / "logs")

    def start(self) -> None:
        """Brings everything up and waits until each part answers. Raises TrialError or a set-up error."""
        service_process.prepare()
        self.start_parts()
        self.found()
        self.supervisor.start(self._progress)

    def start_parts(self) -> None:
        """Starts the broker and the database that were not given, and sets each up as soon as it answers. Idempotent.

        Topics, users and rights; databases, roles and tables.
        """
        pool = ThreadPoolExecutor(2, thread_name_prefix="part")
        try:
            for done in as_completed([pool.submit(self._start_kafka), pool.submit(self._start_postgres)]):
                self._progress(done.result())
        except BaseException:
            # Whoever still waits for a part to be ready sees it end.
            self.stack.kill()
            raise
        finally:
            pool.shutdown()

    def _start_kafka(self) -> str:
        if self._starts_kafka:
            self._progress(self.stack.start_kafka())
        asyncio.run(self.jurisdiction.apply_broker())
        return "topics, users and rights stand"

    def _start_postgres(self) -> str:
        if self._starts_postgres:
            self._progress(self.stack.start_postgres())
        asyncio.run(self.jurisdiction.apply_databases())
        return "databases, roles and tables stand"

    def found(self) -> None:
        """Keys, configurations, and the coordinator's first words. Idempotent."""
        now = clock.now()
        self.supervisor = Supervisor(self.installation.write(now), self.directory / "logs")
        outbox = self.jurisdiction.postgres_settings(COORDINATION)
        asyncio.run(store_events(outbox, self.installation.founding_events(now)))
        self._progress("the jurisdiction is founded and its members are admitted")

    def take_care(self) -> Iterator[str]:
        """Starts what has ended, and what was founded meanwhile by `handoff init`; says each in a sentence."""
        for name in self.supervisor.adopt(self.installation.processes()):
            yield f"{name} was founded and is started"
        for name in self.supervisor.revive():
            yield f"{name} had ended and was started again; its log says why"

    def stop(self) -> None:
        """Stops the services, then what they run on."""
        self.supervisor.stop()
        self.stack.stop()
        self.stack.close()

    def discard(self) -> None:
        """Ends everything at once and removes it."""
        self.supervisor.stop()
        self.stack.discard()


@contextmanager
def running(trial: Trial) -> Iterator[Trial]:
    """``trial``, started; whatever happens, nothing of it is left running."""
    try:
        trial.start()
        yield trial
    finally:
        trial.stop()


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory that another user may pass through (as root, PostgreSQL runs as somebody else) and that goes away."""
    with tempfile.TemporaryDirectory(prefix="handoff-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o711)
        yield path / "state"
