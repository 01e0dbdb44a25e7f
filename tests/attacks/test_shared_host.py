"""Access of other users of a host, of a network and of a database server."""

import stat
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr, ValidationError

from handoff.config import AuditSettings, KafkaSettings, PostgresSettings
from handoff.domain.decide import About
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record import signing
from handoff.trial.stack_state import open_stack_state
from tests.support.parts.node_parts import OPENING, Parts
from tests.support.parts.stack import Jurisdictions

_SECRET = SecretStr("secret")
_REMOTE = "broker.example"


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 11: other users of the host list a trial's state directory"
)
def test_a_state_directory_is_its_owner_s_alone(tmp_path: Path) -> None:
    """A new state directory has mode 0700, whatever the umask is."""
    _, ports = open_stack_state(tmp_path / "state", 1)
    ports.release()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@pytest.mark.xfail(
    strict=True, raises=pytest.fail.Exception, reason="issue 11: a broker on another host may be reached without TLS"
)
def test_a_remote_broker_is_reached_with_tls_only() -> None:
    """Without TLS, password exchange and events cross the network in the clear: loopback only."""
    with pytest.raises(ValidationError):
        KafkaSettings(
            bootstrap_servers=f"{_REMOTE}:9092", username="police", password=_SECRET, security_protocol="SASL_PLAINTEXT"
        )


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 11: a connection to a database on another host asks for no TLS"
)
def test_a_remote_database_is_verified() -> None:
    """The server's certificate and name are checked unless the host is loopback."""
    remote = PostgresSettings(host=_REMOTE, database="police", user="police", password=_SECRET)
    assert "sslmode=verify-full" in remote.dsn


@pytest.mark.xfail(
    strict=True,
    raises=pytest.fail.Exception,
    reason="issue 11: an audit token is sent to another host unencrypted",
)
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


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 11: each database role reads the transaction counts of all others"
)
async def test_a_role_does_not_see_the_pace_of_another_s_database(neighbours: Jurisdiction) -> None:
    """A neighbour's count of transactions shows when it works, and so when a case is urgent."""
    other = neighbours.postgres_settings("shelter").database
    statement = "SELECT xact_commit FROM pg_stat_database WHERE datname = $1"
    assert await _ask_as_police(neighbours, statement, other) is None


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 11: one role can take every connection of the database server"
)
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
