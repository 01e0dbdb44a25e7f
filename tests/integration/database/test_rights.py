"""Rights in the timeline's database, role by table: the coordinator's board reads views without case and referral."""

import asyncpg
import pytest
import pytest_asyncio

from handoff.operations.setup.jurisdiction import Jurisdiction
from tests.support.parts.stack import Jurisdictions

RIGHTS = {
    "writer": {
        "proof.checkpoints": "INSERT SELECT",
        "proof.cosignatures": "INSERT SELECT UPDATE",
        "proof.progress": "SELECT UPDATE",
        "proof.receipts": "INSERT SELECT",
        "timeline.board_references": "INSERT SELECT",
        "timeline.cases": "INSERT SELECT UPDATE",
        "timeline.directory": "INSERT SELECT UPDATE",
        "timeline.entries": "INSERT SELECT",
        "timeline.escalations": "DELETE INSERT SELECT UPDATE",
        "timeline.handoffs": "INSERT SELECT UPDATE",
        "timeline.position": "SELECT UPDATE",
        "timeline.tree_nodes": "INSERT SELECT",
    },
    "reader": {
        "proof.checkpoints": "SELECT",
        "proof.cosignatures": "SELECT",
        "proof.progress": "SELECT",
        "proof.receipts": "SELECT",
        "timeline.entries": "SELECT",
        "timeline.handoffs": "SELECT",
        "timeline.position": "SELECT",
        "timeline.tree_nodes": "SELECT",
    },
    "board": {
        "timeline.board_escalations": "SELECT",
        "timeline.board_handoffs": "SELECT",
        "timeline.board_position": "SELECT",
    },
}
GRANTED = """
SELECT format('%s.%s', n.nspname, c.relname) AS name,
       string_agg(p, ' ' ORDER BY p) FILTER (WHERE has_table_privilege($1, c.oid, p)) AS rights
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
 WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND has_schema_privilege($1, n.oid, 'USAGE')
 GROUP BY 1 HAVING bool_or(has_table_privilege($1, c.oid, p))
"""
HIDDEN = {"case", "case_id", "referral", "subject", "event_id", "chain_root", "value", "key"}


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases()


@pytest.mark.parametrize("role", RIGHTS)
async def test_a_role_has_exactly_these_rights(jurisdiction: Jurisdiction, role: str) -> None:
    """On every table and view of the database, also on those that a later migration adds."""
    connection = await asyncpg.connect(jurisdiction.postgres_settings("projection", "owner").dsn)
    try:
        rows = await connection.fetch(GRANTED, jurisdiction.postgres_settings("projection", role).user)
    finally:
        await connection.close()
    assert {row["name"]: row["rights"] for row in rows if row["name"] != "public.schema_migrations"} == RIGHTS[role]


async def test_the_views_of_the_board_have_no_column_with_a_case_or_a_referral(jurisdiction: Jurisdiction) -> None:
    connection = await asyncpg.connect(jurisdiction.postgres_settings("projection", "board").dsn)
    try:
        rows = await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = ANY($1::regclass[]) AND attnum > 0",
            list(RIGHTS["board"]),
        )
        assert rows
        assert {row["attname"] for row in rows} & HIDDEN == set()
        for table in ("entries", "handoffs", "cases", "directory", "board_references"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM timeline.{table}")
    finally:
        await connection.close()
