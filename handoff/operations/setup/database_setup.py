"""Set-up of databases: one database for each process, with its roles and its migrations.

The migrations grant rights to group roles of the cluster, such as `handoff_node` and `handoff_projection_reader`. The
login of a process is a member of its group and may connect only to its own database. Therefore the rights of a group
are limited to that database.
"""

import asyncio
import subprocess
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import asyncpg

from handoff.config import ConfigurationError
from handoff.operations.errors import OperationError
from handoff.operations.setup.scram import scram_verifier
from handoff.package_data import data_path
from handoff.transport import is_verified, postgres_query

Kind = Literal["node", "exchange", "projection", "monitor"]

GROUPS: Mapping[Kind, Mapping[str, str]] = {
    "node": {"": "handoff_node"},
    "exchange": {"": "handoff_exchange"},
    "projection": {
        "_writer": "handoff_projection_writer",
        "_reader": "handoff_projection_reader",
        "_board": "handoff_projection_board",
    },
    "monitor": {"": "handoff_monitor"},
}


CONNECTIONS_PER_ROLE = 40
"""Limit of connections per role: a process and its standby need fewer, and no role can take those of all others."""


class DatabaseSetupError(OperationError):
    """A database could not be set up. A repetition is safe."""


@dataclass(frozen=True, slots=True)
class DatabaseOperator:
    """Address of the database server and login of its operator, a superuser."""

    host: str
    port: int
    user: str
    password: str
    sslmode: str | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a server on another machine that is not verified. Raises ConfigurationError."""
        if not is_verified(self.host, self.sslmode):
            raise ConfigurationError(
                f"the operator's sslmode {self.sslmode} is for a server on localhost; use verify-full"
            )

    def dsn(self, database: str = "postgres") -> str:
        """Connection string of the operator."""
        return self._dsn(self.user, self.password, database)

    def owner_dsn(self, database: "Database", password: str) -> str:
        """Connection string of a database's owner."""
        return self._dsn(database.owner, password, database.name)

    def _dsn(self, user: str, password: str, database: str) -> str:
        user, password, database = (quote(part, safe="") for part in (user, password, database))
        # dbmate knows no `prefer`.
        query = postgres_query(self.host, self.sslmode, self.ca_file, on_this_machine="disable")
        return f"postgres://{user}:{password}@{self.host}:{self.port}/{database}?{query}"


@dataclass(frozen=True, slots=True)
class Database:
    """Database of one process, named `<jurisdiction>_<process>`, and its logins."""

    jurisdiction: str
    process: str
    kind: Kind

    @property
    def name(self) -> str:
        """Name of the database."""
        return f"{self.jurisdiction}_{self.process}"

    @property
    def owner(self) -> str:
        """Role that owns the database and its tables."""
        return f"{self.name}_owner"

    @property
    def logins(self) -> tuple[str, ...]:
        """Roles that processes log in with; the owner is not one of them."""
        return tuple(self.name + suffix for suffix in GROUPS[self.kind])


async def apply(operator: DatabaseOperator, databases: tuple[Database, ...], passwords: Mapping[str, str]) -> None:
    """Create each database with its roles, and migrate it to the newest schema. Idempotent.

    `passwords` has one password for each role. Raises DatabaseSetupError.
    """
    try:
        async with asyncpg.create_pool(operator.dsn(), min_size=1, max_size=4) as pool:
            await _create_groups(pool)
            await asyncio.gather(*(_create(operator, pool, database, passwords) for database in databases))
        await asyncio.gather(*(asyncio.to_thread(_migrate, operator, d, passwords[d.owner]) for d in databases))
    except (asyncpg.PostgresError, OSError) as error:
        raise DatabaseSetupError(f"the databases could not be set up: {error}") from error


async def _create_groups(pool: asyncpg.Pool) -> None:
    for group in (group for groups in GROUPS.values() for group in groups.values()):
        # Two concurrent set-ups may both find it missing.
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await _execute_formatted(pool, _NEW_GROUP, group)


async def drop(operator: DatabaseOperator, databases: tuple[Database, ...]) -> None:
    """Drop databases with their roles, also while clients are connected."""
    async with asyncpg.create_pool(operator.dsn(), min_size=1, max_size=4) as pool:
        for database in databases:
            await _execute_formatted(
                pool, "SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', $1::text)", database.name
            )
            for role in (*database.logins, database.owner):
                await _execute_formatted(pool, "SELECT format('DROP ROLE IF EXISTS %I', $1::text)", role)


async def _create(
    operator: DatabaseOperator, pool: asyncpg.Pool, database: Database, passwords: Mapping[str, str]
) -> None:
    for role in (database.owner, *database.logins):
        # The server, its log and its statistics never see the password.
        await _execute_formatted(pool, _LOGIN, role, scram_verifier(passwords[role]))
        await _execute_formatted(pool, _LIMIT, role, str(CONNECTIONS_PER_ROLE))
    await _execute_formatted(pool, _NEW_DATABASE, database.name, database.owner)
    await _execute_formatted(pool, "SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $1::text)", database.name)
    await _hide_statistics(operator, database)
    for role, group in zip(database.logins, GROUPS[database.kind].values(), strict=True):
        await _execute_formatted(pool, _MEMBER, group, role)
        await _execute_formatted(pool, _MAY_CONNECT, database.name, role)


async def _hide_statistics(operator: DatabaseOperator, database: Database) -> None:
    """Leave the server's statistics to monitoring: they show how often every other member's database commits."""
    connection = await asyncpg.connect(operator.dsn(database.name))
    try:
        for statement in await connection.fetch(_STATISTICS):
            await connection.execute(statement["command"])
    finally:
        await connection.close()


async def _execute_formatted(pool: asyncpg.Pool, statement: str, *names: str) -> None:
    """Execute the statement that the query ``statement`` returns, if any.

    DDL takes no parameters, so PostgreSQL quotes the names with ``format``.
    """
    async with pool.acquire() as connection:
        command = await connection.fetchval(statement, *names)
        if command is not None:
            await connection.execute(command)


def _migrate(operator: DatabaseOperator, database: Database, password: str) -> None:
    folder = data_path("postgres", database.kind)
    dbmate = Path(sysconfig.get_path("scripts"), "dbmate")
    done = subprocess.run(
        (str(dbmate), "--no-dump-schema", "--migrations-dir", str(folder), "migrate"),
        # Pass the password in the environment: every user of the machine can read a process's arguments.
        env={"DATABASE_URL": operator.owner_dsn(database, password)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise DatabaseSetupError(f"{database.name}: the migrations failed.\n{done.stdout}{done.stderr}")


_NEW_GROUP = """
SELECT format('CREATE ROLE %I NOLOGIN', $1::text)
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)
"""
_LOGIN = """
SELECT format(CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1)
                   THEN 'ALTER ROLE %I LOGIN PASSWORD %L'
                   ELSE 'CREATE ROLE %I LOGIN PASSWORD %L' END, $1::text, $2::text)
"""
_LIMIT = "SELECT format('ALTER ROLE %I CONNECTION LIMIT %s', $1::text, $2::text)"
# Only what PUBLIC may still read, so that a repetition changes nothing. A role may see its own transaction (`xact`).
_STATISTICS = """
SELECT format('REVOKE ALL ON %1$s FROM PUBLIC; GRANT SELECT ON %1$s TO pg_monitor', oid::regclass) AS command
  FROM pg_class
 WHERE relnamespace = 'pg_catalog'::regnamespace AND relname ~ '^pg_stat(io)?_(?!xact_)' AND relkind = 'v'
   AND has_table_privilege('public', oid, 'SELECT')
UNION ALL
SELECT format('REVOKE ALL ON FUNCTION %1$s FROM PUBLIC; GRANT EXECUTE ON FUNCTION %1$s TO pg_monitor',
              oid::regprocedure)
  FROM pg_proc
 WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^(pg_stat_get_(?!xact_)|pg_current_wal_)'
   AND has_function_privilege('public', oid, 'EXECUTE')
"""
_NEW_DATABASE = """
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0', $1::text, $2::text)
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = $1)
"""
_MEMBER = "SELECT format('GRANT %I TO %I', $1::text, $2::text)"
_MAY_CONNECT = "SELECT format('GRANT CONNECT ON DATABASE %I TO %I', $1::text, $2::text)"
