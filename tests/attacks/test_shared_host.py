"""Access of other users of a host, of a network and of a database server."""

import os
import stat
from pathlib import Path

import asyncpg
import psutil
import pytest
from pydantic import SecretStr, ValidationError

from handoff.adapters.files.private_file import private_directory
from handoff.config import AuditSettings, KafkaSettings, PostgresSettings
from handoff.domain.decide import About
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database, DatabaseOperator
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record import signing
from handoff.trial.broker_properties import BrokerPorts
from handoff.trial.child_process import ChildProcess
from handoff.trial.errors import TrialError
from handoff.trial.kafka import KafkaCluster
from handoff.trial.os_user import USER
from handoff.trial.stack import TrialStack
from handoff.trial.stack_state import open_stack_state
from tests.support.parts.node_parts import OPENING, Parts
from tests.support.parts.stack import Jurisdictions

_SECRET = SecretStr("secret")
_REMOTE = "broker.example"


def test_a_state_directory_is_its_owner_s_alone(tmp_path: Path) -> None:
    """A new state directory has mode 0700, whatever the umask is."""
    _, ports = open_stack_state(tmp_path / "state", 1)
    ports.release()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_every_file_of_a_trial_is_its_owner_s_alone(umask: int, tmp_path: Path) -> None:
    """The umask of the shell that starts a trial is not inherited by its processes, nor does it open their logs."""
    directory = tmp_path / "part"
    child = ChildProcess(
        "part", ("sh", "-c", "umask; echo secret >data; mkdir more"), tmp_path / "part.log", cwd=directory
    )
    before = os.umask(umask)
    try:
        private_directory(directory)
        child.start()
        child.wait_ready((directory / "more").exists)
    finally:
        os.umask(before)
        child.terminate()
    for path in (directory, *directory.iterdir(), child.log):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_files_of_the_broker_are_its_owner_s_alone(stack: TrialStack, kafka: KafkaOperator) -> None:
    """Its segments hold every event, and its settings hold passwords."""
    assert kafka.bootstrap_servers
    opened = [
        path
        for path in (stack.directory, *stack.directory.rglob("*"))
        if not path.is_symlink() and path.is_relative_to(stack.directory) and _is_open_to_others(path)
    ]
    assert opened == []


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:
        # A segment that the broker has just deleted.
        return False


def test_the_database_server_of_root_has_a_user_of_its_own(stack: TrialStack, postgres: DatabaseOperator) -> None:
    """A user that other programs run as could read the files of the server, and end it."""
    assert postgres.port
    expected = USER if os.geteuid() == 0 else psutil.Process().username()
    assert psutil.Process(stack.postgres.process.pid).username() == expected
    assert stat.S_IMODE(stack.postgres.directory.stat().st_mode) & 0o077 == 0


def test_no_argument_of_a_process_is_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every user of the host reads the arguments of every process, and formatting the storage needs passwords."""
    program = tmp_path / "java"
    program.write_text('#!/bin/sh\necho "$@" >"${0%/*}/arguments"; stat -c %a "${1#@}" >"${0%/*}/mode"; exit 1\n')
    program.chmod(0o700)
    monkeypatch.setattr("handoff.trial.java.java", lambda: str(program))
    cluster = KafkaCluster(tmp_path / "kafka", (BrokerPorts(1, 2),), "password-1", "password-2")
    with pytest.raises(TrialError):
        cluster.format()
    assert "password" not in (tmp_path / "arguments").read_text()
    assert (tmp_path / "mode").read_text() == "600\n"
    assert "password" not in " ".join(cluster.brokers[0].argv)


def test_a_remote_broker_is_reached_with_tls_only() -> None:
    """Without TLS, password exchange and events cross the network in the clear: loopback only."""
    with pytest.raises(ValidationError):
        KafkaSettings(
            bootstrap_servers=f"{_REMOTE}:9092", username="police", password=_SECRET, security_protocol="SASL_PLAINTEXT"
        )


def test_a_remote_database_is_verified() -> None:
    """The server's certificate and name are checked unless the host is loopback."""
    remote = PostgresSettings(host=_REMOTE, database="police", user="police", password=_SECRET)
    assert "sslmode=verify-full" in remote.dsn


def test_a_remote_audit_is_asked_over_https_only() -> None:
    """A bearer token is sent over HTTPS, or to loopback."""
    with pytest.raises(ValidationError):
        AuditSettings(url=f"http://{_REMOTE}/", token=_SECRET)


@pytest.fixture(scope="module")
async def neighbours(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    """Two nodes' databases on one server."""
    made = database_jurisdictions.planned()
    both = tuple(Database(made.name, member, "node") for member in ("police", "shelter"))
    await database_setup.apply(made.postgres, both, made.passwords.postgres)
    return made


async def _ask_as_police(made: Jurisdiction, statement: str, *arguments: object) -> object:
    connection = await asyncpg.connect(made.postgres_settings("police").dsn)
    try:
        return await connection.fetchval(statement, *arguments)
    except asyncpg.InsufficientPrivilegeError:
        return None
    finally:
        await connection.close()


async def test_a_role_does_not_see_the_pace_of_another_s_database(neighbours: Jurisdiction) -> None:
    """A neighbour's count of transactions shows when it works, and so when a case is urgent."""
    other = neighbours.postgres_settings("shelter").database
    statement = "SELECT xact_commit FROM pg_stat_database WHERE datname = $1"
    assert await _ask_as_police(neighbours, statement, other) is None


async def test_a_role_has_a_limit_of_connections(neighbours: Jurisdiction) -> None:
    """The roles of all members together leave connections for each other."""
    limit = await _ask_as_police(neighbours, "SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user")
    assert isinstance(limit, int)
    assert 0 < limit <= 40


async def test_an_idempotency_key_cannot_be_guessed_from_the_database(police: Parts) -> None:
    """A key that a caller makes of a phone number is kept under a secret that is not in the database."""
    await police.desk().submit(OPENING, About(), idempotency_key="000-000-000")
    [row] = await police.query("idempotency_keys")
    assert row["key_hash"] != signing.sha256(b"police\n000-000-000")
