"""Deletion of rows of a node's database that have outlived their retention period."""

from datetime import datetime, timedelta
from functools import partial

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.config import RetentionSettings
from handoff.retention import RetentionRule

SQL = statements("expired_rows.sql")


def node_rules(pool: asyncpg.Pool, settings: RetentionSettings) -> tuple[RetentionRule, ...]:
    """Return the rules for the tables that every node writes."""
    return (_rule(pool, "idempotency_keys", settings.idempotency_key_days),)


def sign_in_rules(pool: asyncpg.Pool, settings: RetentionSettings) -> tuple[RetentionRule, ...]:
    """Return the rules for the tables of a node in which people sign in."""
    return (
        _rule(pool, "sign_in_links", settings.sign_in_link_days),
        _rule(pool, "sessions", settings.session_days),
        _rule(pool, "openings", settings.opening_days),
    )


def _rule(pool: asyncpg.Pool, kind: str, days: int) -> RetentionRule:
    return RetentionRule(kind, timedelta(days=days), partial(_delete, pool, kind))


async def _delete(pool: asyncpg.Pool, kind: str, before: datetime, limit: int) -> int:
    with store_errors():
        return len(await pool.fetch(SQL[kind], before, limit))
