"""Operator of the brokers: the user that sets them up."""

import logging
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KafkaOperator:
    """Address of the brokers and login of their operator."""

    bootstrap_servers: str
    username: str
    password: str
    security_protocol: str = "SASL_PLAINTEXT"
    ca_file: Path | None = None

    def client(self) -> AdminClient:
        """New admin client. Keep it until its results are read: requests end with their client."""
        return AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "security.protocol": self.security_protocol,
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": self.username,
                "sasl.password": self.password,
                "reconnect.backoff.max.ms": 200,
                **({"ssl.ca.location": str(self.ca_file)} if self.ca_file else {}),
            },
            logger=_log,
        )
