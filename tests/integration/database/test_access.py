"""The databases of a jurisdiction: each process enters its own, and its schema belongs to another role."""

import asyncpg
import pytest
import pytest_asyncio

from handoff.config import PostgresSettings
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database, DatabaseOperator, DatabaseSetupError
from handoff.operations.setup.jurisdiction import Jurisdiction
from tests.support.parts.stack import Jurisdictions


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases()


async def test_a_process_enters_its_own_database_and_no_other(jurisdiction: Jurisdiction) -> None:
    police, shelter = jurisdiction.postgres_settings("police"), jurisdiction.postgres_settings("shelter")
    assert await _ask(police, "SELECT 1") == 1
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _ask(police.model_copy(update={"database": shelter.database}), "SELECT 1")


async def test_a_process_may_not_change_its_schema(jurisdiction: Jurisdiction) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _ask(jurisdiction.postgres_settings("police"), "CREATE TABLE mine (id int)")


async def test_the_projections_reader_and_writer_are_two(jurisdiction: Jurisdiction) -> None:
    for role in ("reader", "writer"):
        assert await _ask(jurisdiction.postgres_settings("projection", role), "SELECT 1") == 1


@pytest.mark.parametrize("witness", ["police", "monitor"])
async def test_a_witness_cannot_delete_its_evidence_against_the_log(jurisdiction: Jurisdiction, witness: str) -> None:
    for statement in (
        "DELETE FROM log_evidence",
        "UPDATE log_evidence SET why = 'inconsistent'",
        "DELETE FROM witness",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _ask(jurisdiction.postgres_settings(witness), statement)


async def test_a_wrong_password_opens_no_database(jurisdiction: Jurisdiction) -> None:
    settings = jurisdiction.postgres_settings("police")
    wrong = PostgresSettings(**{**settings.model_dump(), "password": "wrong"})
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _ask(wrong, "SELECT 1")


async def test_a_repeated_set_up_keeps_what_is_stored(jurisdiction: Jurisdiction) -> None:
    owner = jurisdiction.postgres_settings("police", "owner")
    await _ask(owner, "CREATE TABLE kept (id int)")
    await jurisdiction.apply_databases()
    assert await _ask(owner, "SELECT count(*) FROM kept") == 0


async def test_failed_migrations_are_named_with_the_databases_error(postgres: DatabaseOperator) -> None:
    database = Database("t1", "police", "node")
    passwords = dict.fromkeys((database.owner, *database.logins), "password")
    await database_setup.apply(postgres, (database,), passwords)
    async_owner = postgres.owner_dsn(database, "password")
    connection = await asyncpg.connect(async_owner)
    await connection.execute("DELETE FROM schema_migrations")
    await connection.close()
    with pytest.raises(DatabaseSetupError, match=r"(?s)t1_police: the migrations failed.*already exists"):
        await database_setup.apply(postgres, (database,), passwords)
    await database_setup.drop(postgres, (database,))


async def _ask(settings: PostgresSettings, statement: str) -> object:
    connection = await asyncpg.connect(settings.dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
