"""Trial stack: Kafka and PostgreSQL as child processes on one state directory."""

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
from handoff.trial.jars import BROKER
from handoff.trial.kafka import KafkaCluster
from handoff.trial.postgres import PostgresServer
from handoff.trial.run_lock import RunLock
from handoff.trial.stack_state import open_stack_state

Progress = Callable[[str], None]

_POSTGRES_PORT = 1
_FIRST_BROKER_PORT = 2
_FIRST_SERVICE_PORT = 10


def _silent(_stage: str) -> None:
    pass


class TrialStack:
    """One or three brokers, and one database server.

    After a restart, the stack has the same ports and the same data. The child processes end with this process, also
    when it is killed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        brokers: Literal[1, 3] = 1,
        has_full_jit: bool = False,
        progress: Progress = _silent,
    ) -> None:
        self.directory = directory.absolute()
        self._progress = progress
        self._cancelled = Event()
        self._lock = RunLock.acquire(self.directory)
        try:
            state, self._ports = open_stack_state(self.directory, brokers)
        except BaseException:
            self._lock.release()
            raise
        self.kafka = KafkaCluster(
            self.directory / "kafka",
            tuple(self._broker_ports(index) for index in range(brokers)),
            state.kafka_operator_password,
            state.kafka_cluster_password,
            has_full_jit=has_full_jit,
        )
        self.postgres = PostgresServer(
            self.directory / "postgres", self._ports.port(_POSTGRES_PORT), state.postgres_operator_password
        )

    @property
    def bootstrap_servers(self) -> str:
        """Addresses of the brokers."""
        return self.kafka.bootstrap_servers

    @property
    def kafka_operator(self) -> KafkaOperator:
        """Operator of the brokers."""
        return self.kafka.operator

    @property
    def postgres_operator(self) -> DatabaseOperator:
        """Operator of the database server."""
        return self.postgres.operator

    def postgres_dsn(self, database: str = "postgres") -> str:
        """Connection string of the operator."""
        return self.postgres_operator.dsn(database)

    def service_port(self, index: int) -> int:
        """Port of the `index`-th service, from 0 to 39. It stays the same after a restart."""
        return self._ports.port(_FIRST_SERVICE_PORT + index)

    def start(self) -> None:
        """Start both parts and wait until they are ready. Raises TrialError, after stopping both."""
        self._cancelled.clear()
        pool = ThreadPoolExecutor(2, thread_name_prefix="trial")
        try:
            for started in as_completed([pool.submit(self.start_kafka), pool.submit(self.start_postgres)]):
                self._progress(started.result())
        except BaseException:
            self._cancelled.set()
            # The other thread may still wait for its part: it ends when that part does.
            self.kill()
            raise
        finally:
            pool.shutdown()
            if self._cancelled.is_set():
                self.kill()

    def start_kafka(self) -> str:
        """Start only the brokers. Return a progress message."""
        if not BROKER.is_cached:
            self._progress("downloading Apache Kafka (once)")
        self.kafka.format()
        self._check_cancelled()
        self.kafka.start()
        self.kafka.wait_ready()
        return f"Apache Kafka is ready at {self.bootstrap_servers}"

    def start_postgres(self) -> str:
        """Start only the database server. Return a progress message."""
        self.postgres.format()
        self._check_cancelled()
        self.postgres.start()
        self.postgres.wait_ready()
        return f"PostgreSQL is ready at {self.postgres_operator.host}:{self.postgres_operator.port}"

    def stop(self) -> None:
        """Stop both parts in order. Their data stays."""
        with ThreadPoolExecutor(2) as pool:
            stopping: list[Future[None]] = [pool.submit(self.kafka.stop), pool.submit(self.postgres.stop)]
        for future in stopping:
            future.result()

    def kill(self) -> None:
        """Kill both parts, as a power cut would."""
        self.kafka.kill()
        self.postgres.kill()

    def close(self) -> None:
        """Release the ports. The stack cannot be started again afterwards."""
        self._ports.release()
        self._lock.release()

    def discard(self) -> None:
        """Kill both parts and remove their data."""
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

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise TrialError("the start was cancelled, because the other part failed")

    def _broker_ports(self, index: int) -> BrokerPorts:
        first = _FIRST_BROKER_PORT + 2 * index
        return BrokerPorts(self._ports.port(first), self._ports.port(first + 1))
