"""Broker and database server with certificates of a real authority, on loopback addresses that count as remote."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from handoff.operations.setup.broker_setup import broker_count
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.trial.stack import TrialStack
from tests.support.parts.stack import throwaway_stack
from tests.support.parts.tls_front import TlsFront

BROKER_HOST, DATABASE_HOST, OTHER_HOST = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate for one host: the chain, and the key in PKCS #8."""

    chain: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """An authority whose files are in ``directory``."""

    directory: Path
    ca: trustme.CA

    @classmethod
    def create(cls, directory: Path) -> "Authority":
        directory.mkdir(parents=True, exist_ok=True)
        made = cls(directory, trustme.CA())
        made.ca.cert_pem.write_to_path(str(made.file))
        return made

    @property
    def file(self) -> Path:
        """Certificate of the authority, as PEM."""
        return self.directory / "ca.pem"

    def certificate(self, host: str) -> Certificate:
        """Issue a certificate for ``host``."""
        issued = self.ca.issue_cert(host)
        found = Certificate(self.directory / f"{host}.pem", self.directory / f"{host}.key")
        found.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        found.key.touch(mode=0o600)
        found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return found


@dataclass(frozen=True)
class TlsParts:
    """A broker at BROKER_HOST and a database server at DATABASE_HOST and OTHER_HOST, both with TLS."""

    stack: TrialStack
    authority: Authority
    front: TlsFront

    @property
    def kafka(self) -> KafkaOperator:
        """Operator of the broker."""
        plain = self.stack.kafka_operator
        port = plain.bootstrap_servers.rpartition(":")[2]
        return KafkaOperator(f"{BROKER_HOST}:{port}", plain.username, plain.password, ca_file=self.authority.file)

    @property
    def postgres(self) -> DatabaseOperator:
        """Operator of the database server."""
        plain = self.stack.postgres_operator
        return DatabaseOperator(DATABASE_HOST, plain.port, plain.user, plain.password, ca_file=self.authority.file)

    @property
    def database_log(self) -> str:
        """Log of the database server, with every statement."""
        return self.stack.postgres.process.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def tls_parts(directory: Path) -> Iterator[TlsParts]:
    """Start both parts for the block."""
    with throwaway_stack() as stack:
        authority = Authority.create(directory)
        certificate = authority.certificate(DATABASE_HOST)
        hosts, port = (DATABASE_HOST, OTHER_HOST), stack.postgres_operator.port
        front = TlsFront(hosts, port, (certificate.chain, certificate.key))
        parts = TlsParts(stack, authority, front)
        _start_database(stack)
        _start_broker(parts, authority.certificate(BROKER_HOST))
        with front.running():
            yield parts


def _start_database(stack: TrialStack) -> None:
    stack.postgres.format()
    process = stack.postgres.process
    process.argv = (*process.argv, "-c", "log_statement=all")
    stack.postgres.start()
    stack.postgres.wait_ready()


def _start_broker(parts: TlsParts, certificate: Certificate) -> None:
    stack = parts.stack
    stack.kafka.format()
    keystore = parts.authority.directory / "broker.pem"
    keystore.touch(mode=0o600)
    keystore.write_bytes(certificate.key.read_bytes() + certificate.chain.read_bytes())
    client, controller = stack.kafka.ports[0]
    settings = {
        "listeners": f"CLIENT://{BROKER_HOST}:{client},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENT://{BROKER_HOST}:{client}",
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:SASL_PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(parts.authority.file),
    }
    (broker,) = stack.kafka.brokers
    properties = Path(broker.argv[-1])
    with properties.open("a", encoding="ascii") as file:
        # The last value of a property counts.
        file.writelines(f"{name}={value}\n" for name, value in settings.items())
    broker.start()
    admin = parts.kafka.client()
    broker.wait_ready(lambda: broker_count(admin) == 1, 60)
