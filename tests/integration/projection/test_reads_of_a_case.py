"""Reading a case costs the same, however many entries there are about the jurisdiction's status."""

import asyncpg
import pytest

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.timeline_reader import Timeline
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.events.base import Keying
from handoff.record.topics import PROJECTION
from handoff.views.replay.history import History
from handoff.views.replay.missed import missed
from tests.support.dsl.builders import JURISDICTION
from tests.support.dsl.spec import CASE
from tests.support.parts import proof_record
from tests.support.parts.audited import NOW, databases, story, write_timeline
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.queries import QUERIES
from tests.support.probes.query_plans import PlannedQuery, QueryLog

_STATUS_ENTRIES = 40_000


@pytest.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    """The timeline of a case with a missed deadline."""
    made = database_jurisdictions.planned()
    await databases(made)
    await write_timeline(made, story())
    return made


async def _read(jurisdiction: Jurisdiction) -> tuple[History, list[PlannedQuery]]:
    """The history of the case, and the queries that read entries for it."""
    async with open_pool(jurisdiction.postgres_settings(PROJECTION, "reader"), max_size=1) as pool:
        log = QueryLog()
        await log.attach(pool)
        history = await Timeline(pool, proof_record.ORIGIN).history(CASE)
        return history, await log.explained(pool)


async def test_entries_about_the_jurisdiction_s_status_are_not_read(jurisdiction: Jurisdiction) -> None:
    """Beside 40,000 refusals, capacities and escalations, the plan touches as many rows and buffers as without them."""
    before, queries = await _read(jurisdiction)
    strands, alone = len(before.own), sum(query.entries_read for query in queries)
    database = Database(jurisdiction.name, PROJECTION, "projection").name
    async with asyncpg.create_pool(jurisdiction.postgres.dsn(database), min_size=0) as superuser:
        await superuser.execute(QUERIES["fill_status"], Keying.STATUS.subject(JURISDICTION), _STATUS_ENTRIES)
        await superuser.execute("VACUUM ANALYZE timeline.entries")

    after, queries_beside = await _read(jurisdiction)

    assert after.own == before.own
    reported = [row for row in missed(after, NOW).rows if row.reported_at is not None]
    assert [row.escalated_at is not None for row in reported] == [True], "the case's own escalation is read"
    assert sum(query.entries_read for query in queries_beside) <= alone + strands, [*queries_beside]
    (entries,) = (query for query in queries_beside if "previous_leaf" in query.statement)
    (entries_before,) = (query for query in queries if "previous_leaf" in query.statement)
    assert entries.buffers <= 2 * entries_before.buffers, entries
