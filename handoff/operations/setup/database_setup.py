"""The databases' set-up: one database for each process, its roles, and its migrations.

Rights are given by the migrations to four group roles that every cluster has: `handoff_node`, `handoff_exchange`,
`handoff_projection_writer` and `handoff_projection_reader`. Each process's login is a member of its group and may
connect to its own database alone, so a group's rights reach no further than that database.
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

from handoff.package_data import data_path

Kind = Literal["node", "exchange", "projection", "monitor"]

GROUPS: Mapping[Kind, Mapping[str, str]] = {
    "node": {"": "handoff_node"},
    "exchange": {"": "handoff_exchange"},
    "projection": {"_writer": "handoff_projection_writer", "_reader": "handoff_projection_reader"},
    "monitor": {"": "handoff_monitor"},
}


class DatabaseSetupError(Exception):
    """A database could not be set up; it is safe to try again."""


@dataclass(frozen=True, slots=True)
class DatabaseOperator:
    """Where the server is and how the operator logs in."""

    host: str
    port: int
    user: str
    password: str
    sslmode: str = "disable"

    def dsn(self, database: str = "postgres") -> str:
        return self._dsn(self.user, self.password, database)

    def owner_dsn(self, database: "Database", password: str) -> str:
        return self._dsn(database.owner, password, database.name)

    def _dsn(self, user: str, password: str, database: str) -> str:
        user, password, database = (quote(part, safe="") for part in (user, password, database))
        return f"postgres://{user}:{password}@{self.host}:{self.port}/{database}?sslmode={self.sslmode}"


@dataclass(frozen=True, slots=True)
class Database:
    """One process's database, named `<jurisdiction>_<process>`, and the logins that it has."""

    jurisdiction: str
    process: str
    kind: Kind

    @property
    def name(self) -> str:
        return f"{self.jurisdiction}_{self.process}"

    @property
    def owner(self) -> str:
        return f"{self.name}_owner"

    @property
    def logins(self) -> tuple[str, ...]:
        """The roles that processes log in with, beside the owner."""
        return tuple(self.name + suffix for suffix in GROUPS[self.kind])


async def apply(operator: DatabaseOperator, databases: tuple[Database, ...], passwords: Mapping[str, str]) -> None:
    """Makes each database, its roles and its newest schema. `passwords` has one for each role. Idempotent.

    Raises DatabaseSetupError.
    """
    try:
        async with asyncpg.create_pool(operator.dsn(), min_size=1, max_size=4) as pool:
            await _make_groups(pool)
            await asyncio.gather(*(_make(pool, database, passwords) for database in databases))
        await asyncio.gather(*(asyncio.to_thread(_migrate, operator, d, passwords[d.owner]) for d in databases))
    except (asyncpg.PostgresError, OSError) as error:
        raise DatabaseSetupError(f"{error}") from error


async def _make_groups(pool: asyncpg.Pool) -> None:
    for group in (group for groups in GROUPS.values() for group in groups.values()):
        # Two set-ups at once may both find it missing.
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await _say(pool, _NEW_GROUP, group)


async def drop(operator: DatabaseOperator, databases: tuple[Database, ...]) -> None:
    """Removes databases with their roles, whoever is connected."""
    async with asyncpg.create_pool(operator.dsn(), min_size=1, max_size=4) as pool:
        for database in databases:
            await _say(pool, "SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', $1::text)", database.name)
            for role in (*database.logins, database.owner):
                await _say(pool, "SELECT format('DROP ROLE IF EXISTS %I', $1::text)", role)


async def _make(pool: asyncpg.Pool, database: Database, passwords: Mapping[str, str]) -> None:
    for role in (database.owner, *database.logins):
        await _say(pool, _LOGIN, role, passwords[role])
    await _say(pool, _NEW_DATABASE, database.name, database.owner)
    await _say(pool, "SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $1::text)", database.name)
    for role, group in zip(database.logins, GROUPS[database.kind].values(), strict=True):
        await _say(pool, _MEMBER, group, role)
        await _say(pool, _MAY_CONNECT, database.name, role)


async def _say(pool: asyncpg.Pool, statement: str, *names: str) -> None:
    """Lets PostgreSQL itself quote the names into a statement that takes no parameters, and runs what it gives."""
    async with pool.acquire() as connection:
        command = await connection.fetchval(statement, *names)
        if command is not None:
            await connection.execute(command)


def _migrate(operator: DatabaseOperator, database: Database, password: str) -> None:
    folder = data_path("postgres", database.kind)
    dbmate = Path(sysconfig.get_path("scripts"), "dbmate")
    done = subprocess.run(
        (str(dbmate), "--no-dump-schema", "--migrations-dir", str(folder), "migrate"),
        # The address goes by the environment: arguments are everybody's to read.
        env={"DATABASE_URL": operator.owner_dsn(database, password)},
        capture_output=True,
        text=True,
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
_NEW_DATABASE = """
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0', $1::text, $2::text)
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = $1)
"""
_MEMBER = "SELECT format('GRANT %I TO %I', $1::text, $2::text)"
_MAY_CONNECT = "SELECT format('GRANT CONNECT ON DATABASE %I TO %I', $1::text, $2::text)"
