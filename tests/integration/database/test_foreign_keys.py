"""Each foreign key has an index on its own columns: a check of deletions would read the whole table without one."""

from typing import Literal

import asyncpg
import pytest

from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.queries import QUERIES


@pytest.mark.parametrize("kind", ["projection", "exchange", "monitor", "node"])
async def test_every_foreign_key_has_an_index(
    database_jurisdictions: Jurisdictions, kind: Literal["projection", "exchange", "monitor", "node"]
) -> None:
    made = database_jurisdictions.planned()
    database = Database(made.name, "police" if kind == "node" else kind, kind)
    await database_setup.apply(made.postgres, (database,), made.passwords.postgres)
    async with asyncpg.create_pool(made.postgres.dsn(database.name), min_size=0) as superuser:
        assert [tuple(row) for row in await superuser.fetch(QUERIES["foreign_keys_without_index"])] == []
        # The question finds such a key.
        await superuser.execute("CREATE TABLE referred (id bigint PRIMARY KEY)")
        await superuser.execute("CREATE TABLE referring (id bigint PRIMARY KEY, other bigint REFERENCES referred)")
        found = [tuple(row) for row in await superuser.fetch(QUERIES["foreign_keys_without_index"])]
    assert found == [("referring", "referring_other_fkey")]
