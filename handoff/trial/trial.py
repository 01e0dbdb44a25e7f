"""A whole jurisdiction running on this machine: the broker, the database, and every service as its own process."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handoff import clock
from handoff.adapters.kafka_operator import Operator
from handoff.adapters.node_operations import store_events
from handoff.adapters.postgres_admin import DatabaseOperator
from handoff.config import JurisdictionPlan
from handoff.record.envelope import COORDINATION
from handoff.trial import forked
from handoff.trial.fleet import Fleet, Progress
from handoff.trial.installation import Installation
from handoff.trial.jurisdiction import Jurisdiction, kept_passwords
from handoff.trial.stack import TrialStack


class Trial:
    """A jurisdiction in a state directory, which survives stop and start with the same ports and contents."""

    def __init__(
        self,
        directory: Path,
        plan: JurisdictionPlan,
        progress: Progress,
        *,
        kafka: Operator | None = None,
        postgres: DatabaseOperator | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self._progress = progress
        self._stack = TrialStack(self.directory / "stack", progress=progress)
        self._own_kafka, self._own_postgres = kafka is None, postgres is None
        passwords = kept_passwords(plan, self.directory / "passwords.json")
        self.jurisdiction = Jurisdiction(
            plan, kafka or self._stack.kafka_operator, postgres or self._stack.postgres_operator, passwords
        )
        self.installation = Installation(self.directory, self.jurisdiction, self._stack.service_port)
        self.fleet = Fleet((), self.directory / "logs")

    def start(self) -> None:
        """Brings everything up and waits until each part answers. Raises TrialError or a set-up error."""
        forked.prepare()
        self.start_parts()
        self.found()
        self.fleet.start(self._progress)

    def start_parts(self) -> None:
        """Starts the broker and the database that were not given."""
        if self._own_kafka and self._own_postgres:
            self._stack.start()
        elif self._own_kafka:
            self._progress(self._stack.start_kafka())
        elif self._own_postgres:
            self._progress(self._stack.start_postgres())

    def found(self) -> None:
        """Topics, users, rights, databases, keys, configurations, and the coordinator's first words. Idempotent."""
        now = clock.now()
        asyncio.run(self.jurisdiction.apply())
        self._progress("topics, users, rights, databases and roles stand")
        self.fleet = Fleet(self.installation.write(now), self.directory / "logs")
        outbox = self.jurisdiction.postgres_settings(COORDINATION)
        asyncio.run(store_events(outbox, self.installation.founding_events(now)))
        self._progress("the jurisdiction is founded and its members are admitted")

    def stop(self) -> None:
        """Stops the services, then what they run on."""
        self.fleet.stop()
        self._stack.stop()
        self._stack.close()

    def discard(self) -> None:
        """Ends everything at once and removes it."""
        self.fleet.stop()
        self._stack.discard()


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
