"""Logins of the operator at the brokers and at the database server.

An address on the command line goes with a login from the environment. Without an address, both come from the file
``operator.toml`` beside the installation's settings: `handoff up` writes it for the parts that it starts, and for other
parts an operator writes it or mounts it as a Secret. Its sections ``[kafka]`` and ``[postgres]`` have the fields of
KafkaOperator and DatabaseOperator.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import TypeAdapter, ValidationError

from handoff.adapters.files.private_file import private_directory, write_private
from handoff.config import ConfigurationError
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator

T = TypeVar("T")

FILE = "operator.toml"
KAFKA_VARIABLE, POSTGRES_VARIABLE = "HANDOFF_KAFKA_OPERATOR", "HANDOFF_POSTGRES_OPERATOR"


def kafka_operator(directory: Path, servers: str | None) -> KafkaOperator:
    """Operator of the brokers at ``servers``, else of those in ``directory``'s operator.toml.

    Raises ConfigurationError.
    """
    return kafka_operator_at(servers) if servers is not None else _stored(directory, "kafka", KafkaOperator)


def postgres_operator(directory: Path, server: str | None) -> DatabaseOperator:
    """Operator of the database server at ``server``, else of that in ``directory``'s operator.toml.

    Raises ConfigurationError.
    """
    return postgres_operator_at(server) if server is not None else _stored(directory, "postgres", DatabaseOperator)


def kafka_operator_at(servers: str) -> KafkaOperator:
    """Operator of the brokers at ``servers``, with the login from the environment. Raises ConfigurationError.

    Brokers on another machine are reached with TLS, and so are others with a CA file in
    HANDOFF_KAFKA_OPERATOR_CA_FILE.
    """
    return KafkaOperator(servers, *_login(KAFKA_VARIABLE), ca_file=_ca_file(KAFKA_VARIABLE))


def postgres_operator_at(server: str) -> DatabaseOperator:
    """Operator of the database server at ``server`` (host:port), with the login from the environment.

    A server on another machine is reached with TLS and verified, and so is another one with a CA file in
    HANDOFF_POSTGRES_OPERATOR_CA_FILE. Raises ConfigurationError.
    """
    host, _, port = server.partition(":")
    if port and not port.isdecimal():
        raise ConfigurationError(f"--postgres: {server!r} is not host:port")
    ca_file = _ca_file(POSTGRES_VARIABLE)
    sslmode = None if ca_file is None else "verify-full"
    return DatabaseOperator(host, int(port or 5432), *_login(POSTGRES_VARIABLE), sslmode=sslmode, ca_file=ca_file)


def write_operator_logins(directory: Path, kafka: KafkaOperator | None, postgres: DatabaseOperator | None) -> None:
    """Write ``operator.toml`` with the given logins. Only its owner may read it."""
    logins = {part: asdict(login) for part, login in (("kafka", kafka), ("postgres", postgres)) if login is not None}
    present = {part: {k: _toml_value(v) for k, v in login.items() if v is not None} for part, login in logins.items()}
    private_directory(directory)
    write_private(directory / FILE, tomli_w.dumps(present))


def _toml_value(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _ca_file(variable: str) -> Path | None:
    path = os.environ.get(f"{variable}_CA_FILE")
    return Path(path).absolute() if path else None


def _login(variable: str) -> tuple[str, str]:
    user, password = os.environ.get(variable), os.environ.get(f"{variable}_PASSWORD")
    if not user or not password:
        raise ConfigurationError(f"{variable}, {variable}_PASSWORD: set both; the operator logs in with them")
    return user, password


def _stored(directory: Path, part: str, operator: type[T]) -> T:
    path = directory / FILE
    document = _document(path)
    if part not in document:
        raise ConfigurationError(
            f"no login of the operator of {part}. Looked for: --{part} with a login in the environment "
            f"(`handoff init --help`), and the section [{part}] of {path}, which `handoff up` writes"
        )
    try:
        return TypeAdapter(operator).validate_python(document[part])
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = ".".join(map(str, (part, *first["loc"])))
        raise ConfigurationError(f"{path}: {key}: {first['msg']}") from None


def _document(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
