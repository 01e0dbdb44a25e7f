"""Operator of the brokers: the user that sets them up."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from confluent_kafka.admin import AdminClient

from handoff.config import ConfigurationError
from handoff.transport import are_this_machine

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KafkaOperator:
    """Address of the brokers and login of their operator."""

    bootstrap_servers: str
    username: str
    password: str
    security_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse brokers on another machine without TLS. Raises ConfigurationError."""
        if self.protocol != "SASL_SSL" and not are_this_machine(self.bootstrap_servers):
            raise ConfigurationError(
                "the operator's security_protocol SASL_PLAINTEXT is allowed for brokers on localhost only; use SASL_SSL"
            )

    @property
    def protocol(self) -> Literal["SASL_PLAINTEXT", "SASL_SSL"]:
        """Protocol of the connection: by default TLS, unless the brokers are on this machine and no CA is named."""
        if self.security_protocol is not None:
            return self.security_protocol
        plain = self.ca_file is None and are_this_machine(self.bootstrap_servers)
        return "SASL_PLAINTEXT" if plain else "SASL_SSL"

    def client(self) -> AdminClient:
        """New admin client. Keep it until its results are read: requests end with their client."""
        return AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "security.protocol": self.protocol,
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": self.username,
                "sasl.password": self.password,
                "reconnect.backoff.max.ms": 200,
                **({"ssl.ca.location": str(self.ca_file)} if self.ca_file else {}),
            },
            logger=_log,
        )
