"""Apache Kafka for the trial: one or three brokers in KRaft mode, with SCRAM and ACLs."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from handoff.operations.setup.broker_setup import broker_count
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.package_data import data_path
from handoff.trial.broker_properties import BrokerPorts, BrokerProperties
from handoff.trial.child_process import ChildProcess
from handoff.trial.errors import TrialError
from handoff.trial.jars import BROKER
from handoff.trial.java import UTF8_LOCALE, java, run_java

OPERATOR = "operator"
# User of the brokers and controllers for connections among them.
CLUSTER = "cluster"

_START_SECONDS = 60
_QUICK_START = ("-XX:TieredStopAtLevel=1",)


class KafkaCluster:
    """Brokers of a trial stack, as child processes on one state directory."""

    def __init__(
        self,
        directory: Path,
        ports: tuple[BrokerPorts, ...],
        operator_password: str,
        cluster_password: str,
        *,
        has_full_jit: bool = False,
    ) -> None:
        """With ``has_full_jit``, a broker compiles as in production. Without, it starts with less CPU time."""
        self.ports = ports
        self.cluster_password = cluster_password
        self._directory = directory
        self._operator_password = operator_password
        self.bootstrap_servers = ",".join(f"127.0.0.1:{broker.client}" for broker in ports)
        self._properties = tuple(
            BrokerProperties(number, directory / f"broker-{number}", ports, operator_password, cluster_password)
            for number in range(1, len(ports) + 1)
        )
        self._tiers = () if has_full_jit else _QUICK_START
        self.brokers = tuple(self._broker(properties) for properties in self._properties)

    @property
    def operator(self) -> KafkaOperator:
        """Operator of the brokers."""
        return KafkaOperator(self.bootstrap_servers, OPERATOR, self._operator_password)

    def format(self) -> None:
        """Format the storage of each broker once, with the operator's credentials."""
        BROKER.download()
        cluster_id = self._cluster_id()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda properties: self._format(properties, cluster_id), self._properties))

    def start(self) -> None:
        """Start all brokers."""
        for broker in self.brokers:
            broker.start()

    def wait_ready(self) -> None:
        """Wait until all brokers are in the cluster and accept the operator's login. Raises TrialError."""
        client = self.operator.client()
        expected = len(self.brokers)
        self.brokers[0].wait_ready(lambda: broker_count(client) == expected, _START_SECONDS)

    def leader(self, topic: str) -> ChildProcess:
        """Broker that leads the topic's only partition. Raises KafkaException if no broker responds."""
        found = self.operator.client().list_topics(topic, timeout=_START_SECONDS)
        leader: int = found.topics[topic].partitions[0].leader
        return self.brokers[leader - 1]

    def stop(self) -> None:
        """Stop all brokers concurrently: stopped in turn, the last one would wait for a quorum."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda broker: broker.terminate(), self.brokers))

    def kill(self) -> None:
        """Kill all brokers with SIGKILL."""
        for broker in self.brokers:
            broker.kill()

    def _cluster_id(self) -> str:
        """Cluster id: 16 bytes in base64, the same for all brokers and after a restart."""
        digest = hashlib.sha256(str(self._directory.absolute()).encode()).digest()
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")

    def _format(self, properties: BrokerProperties, cluster_id: str) -> None:
        properties.write()
        if properties.formatted:
            return
        arguments = (
            *_options("-Xshare:auto", *_QUICK_START), "kafka.tools.StorageTool", "format",
            "--config", str(properties.path), f"--cluster-id={cluster_id}", *_scram_users(properties),
        )  # fmt: skip
        done = run_java(arguments, properties.directory)
        if done.returncode != 0:
            raise TrialError(f"Kafka's storage could not be formatted.\n{done.stdout}{done.stderr}")

    def _broker(self, properties: BrokerProperties) -> ChildProcess:
        return ChildProcess(
            name=f"Kafka broker {properties.number}",
            argv=(java(), *_options("-Xmx512m", *self._tiers), "kafka.Kafka", str(properties.path)),
            log=self._directory / f"broker-{properties.number}.log",
            env=UTF8_LOCALE,
        )


def _options(*options: str) -> tuple[str, ...]:
    logging = data_path("kafka", "log4j2.properties")
    return (
        *options, "-XX:+UseSerialGC",
        f"-Dlog4j2.configurationFile={logging}", "-cp", BROKER.class_path,
    )  # fmt: skip


def _scram_users(properties: BrokerProperties) -> tuple[str, ...]:
    users = ((OPERATOR, properties.operator_password), (CLUSTER, properties.cluster_password))
    return tuple(
        part for name, password in users for part in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
    )
