"""Configuration of one trial broker."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from handoff.adapters.files.private_file import private_directory

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


class BrokerPorts(NamedTuple):
    """Ports of one broker."""

    client: int
    controller: int


def _escaped(value: str) -> str:
    """Return a value for a Java properties file, which is Latin-1: other UTF-16 units become escapes."""
    encoded = value.replace("\\", "\\\\").encode("utf-16-be", "surrogatepass")
    units = struct.unpack(f">{len(encoded) // 2}H", encoded)
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)


@dataclass(frozen=True)
class BrokerProperties:
    """Properties of one combined broker and controller on loopback. `ports` are those of all brokers."""

    number: int
    directory: Path
    ports: tuple[BrokerPorts, ...]
    operator_password: str
    cluster_password: str

    @property
    def path(self) -> Path:
        """File of the properties."""
        return self.directory / "server.properties"

    @property
    def formatted(self) -> bool:
        """Return whether the storage is formatted."""
        return (self.directory / "data" / "meta.properties").exists()

    def write(self) -> None:
        """Write the file, which has passwords, for its owner alone."""
        private_directory(self.directory)
        self.path.touch(mode=0o600)
        settings = {**self._network(), **self._access(), **self._storage(), **self._timing()}
        lines = (f"{key}={_escaped(str(value))}\n" for key, value in settings.items())
        self.path.write_text("".join(lines), encoding="ascii")

    def _network(self) -> dict[str, str | int]:
        own = self.ports[self.number - 1]
        voters = (f"{number}@127.0.0.1:{ports.controller}" for number, ports in enumerate(self.ports, 1))
        return {
            "process.roles": "broker,controller",
            "node.id": self.number,
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"CLIENT://127.0.0.1:{own.client},CONTROLLER://127.0.0.1:{own.controller}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{own.client}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENT",
        }

    def _access(self) -> dict[str, str | int]:
        cluster = f'required username="cluster" password="{self.cluster_password}"'
        return {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.client.scram-sha-512.sasl.jaas.config": f"{_SCRAM} {cluster};",
            # Controllers cannot use SCRAM among themselves: SCRAM users are stored in the log that they replicate.
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": (
                f'{_PLAIN} {cluster} user_cluster="{self.cluster_password}";'
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:operator;User:cluster",
            "allow.everyone.if.no.acl.found": "false",
            "auto.create.topics.enable": "false",
        }

    def _storage(self) -> dict[str, str | int]:
        copies = len(self.ports)
        durable = min(2, copies)
        return {
            "log.dirs": str(self.directory / "data"),
            "default.replication.factor": copies,
            "min.insync.replicas": durable,
            "offsets.topic.replication.factor": copies,
            # A trial has a dozen consumer groups: the default of 50 partitions would delay its start.
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": durable,
            "transaction.state.log.num.partitions": 1,
            "unclean.leader.election.enable": "false",
        }

    def _timing(self) -> dict[str, str | int]:
        return {
            # Time until another broker takes over from a killed one: 9 s by default.
            "broker.heartbeat.interval.ms": 1000,
            "broker.session.timeout.ms": 4000,
            "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "num.recovery.threads.per.data.dir": 2,
        }
