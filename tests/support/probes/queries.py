"""Queries of the tests by name, from ``queries.sql``: the one place that changes with the schema."""

from handoff.adapters.postgres.named_statements import statements

QUERIES = statements("queries.sql", "tests.support.probes")
"""Name → statement."""
