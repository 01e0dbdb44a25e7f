"""Real Kafka and real PostgreSQL as child processes over one state directory."""

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Literal, Self

from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.trial.broker_properties import BrokerPorts
from handoff.trial.errors import TrialError
from handoff.trial.jars import jars_are_here
from handoff.trial.kafka import KafkaCluster
from handoff.trial.postgres import PostgresServer
from handoff.trial.stack_state import open_stack_state

Progress = Callable[[str], None]

_POSTGRES_PORT = 1
_FIRST_BROKER_PORT = 2
_FIRST_SERVICE_PORT = 10


def _silent(_stage: str) -> None:
    pass


class TrialStack:
    """The broker (one, or three) and the database that everything else runs on.

    The state directory survives stop and start with the same ports and contents. When this process ends, however that
    happens, so do its children.
    """

    def __init__(
        self, directory: Path, *, brokers: Literal[1, 3] = 1, progress: Progress = _silent, join: bool = False
    ) -> None:
        self.directory = directory.absolute()
        self._progress = progress
        self._given_up = Event()
        state, self._ports = open_stack_state(self.directory, brokers, join=join)
        self.kafka = KafkaCluster(
            self.directory / "kafka",
            tuple(self._broker_ports(index) for index in range(brokers)),
            state.kafka_operator_password,
            state.kafka_cluster_password,
        )
        self.postgres = PostgresServer(
            self.directory / "postgres", self._ports.port(_POSTGRES_PORT), state.postgres_operator_password
        )

    @property
    def runs_elsewhere(self) -> bool:
        """Whether another process runs it, which this one has joined."""
        return not self._ports.is_ours

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers

    @property
    def kafka_operator(self) -> KafkaOperator:
        return self.kafka.operator

    @property
    def postgres_operator(self) -> DatabaseOperator:
        return self.postgres.operator

    def postgres_dsn(self, database: str = "postgres") -> str:
        """The operator's connection string."""
        return self.postgres_operator.dsn(database)

    def service_port(self, index: int) -> int:
        """The port of the `index`-th service, from 0 to 39, the same at every start."""
        return self._ports.port(_FIRST_SERVICE_PORT + index)

    def start(self) -> None:
        """Starts both parts at once and waits until they answer. Raises TrialError and leaves nothing behind."""
        self._given_up.clear()
        pool = ThreadPoolExecutor(2, thread_name_prefix="trial")
        try:
            for started in as_completed([pool.submit(self.start_kafka), pool.submit(self.start_postgres)]):
                self._progress(started.result())
        except BaseException:
            self._given_up.set()
            # Whoever waits for a part to be ready sees it end.
            self.kill()
            raise
        finally:
            pool.shutdown()
            if self._given_up.is_set():
                self.kill()

    def start_kafka(self) -> str:
        """Starts the brokers alone; gives a sentence for whoever waits."""
        if not jars_are_here():
            self._progress("Apache Kafka is fetched, once")
        self.kafka.format()
        self._go_on()
        self.kafka.start()
        self.kafka.wait_ready()
        return f"Apache Kafka answers at {self.bootstrap_servers}"

    def start_postgres(self) -> str:
        """Starts the database server alone; gives a sentence for whoever waits."""
        self.postgres.format()
        self._go_on()
        self.postgres.start()
        self.postgres.wait_ready()
        return f"PostgreSQL answers at {self.postgres_operator.host}:{self.postgres_operator.port}"

    def stop(self) -> None:
        """Stops both parts in good order; what they hold stays."""
        with ThreadPoolExecutor(2) as pool:
            stopping: list[Future[None]] = [pool.submit(self.kafka.stop), pool.submit(self.postgres.stop)]
        for future in stopping:
            future.result()

    def kill(self) -> None:
        """Ends both parts at once, as a power cut would."""
        self.kafka.kill()
        self.postgres.kill()

    def close(self) -> None:
        """Gives the ports back. The stack is of no use afterwards."""
        self._ports.release()

    def discard(self) -> None:
        """Ends both parts and removes all that they hold."""
        self.kill()
        self.postgres.discard()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.close()

    def _go_on(self) -> None:
        if self._given_up.is_set():
            raise TrialError("The start was given up.")

    def _broker_ports(self, index: int) -> BrokerPorts:
        first = _FIRST_BROKER_PORT + 2 * index
        return BrokerPorts(self._ports.port(first), self._ports.port(first + 1))
