"""The figures that the database computes are those computed in memory, to the digit, for any handoffs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.timeline_reader import HandoffFilter, Timeline, handoff_row
from handoff.domain.case import Ending
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.codes import State
from handoff.record.topics import PROJECTION
from handoff.views.handoffs import Handoff
from handoff.views.latency import Grouping
from tests.support.dsl.builders import T0, after, nth_id
from tests.support.dsl.figures_in_memory import summary
from tests.support.parts import proof_record
from tests.support.parts.audited import databases
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.queries import QUERIES
from tests.support.probes.query_plans import QueryLog
from tests.unit.views.test_latency import answered, handoff, handoffs

_WRITE = statements("timeline_store.sql")["write_handoff"]
_MEMBERS = st.sampled_from(["police", "social_work", "shelter", "legal_aid"])
_SHORT = st.integers(min_value=0, max_value=5).map(lambda minutes: T0 + timedelta(minutes=minutes))


@st.composite
def _distinct(draw: st.DrawFn) -> list[Handoff]:
    """Handoffs of which many have equal waits, and some have sub-millisecond dates."""
    found = draw(st.lists(handoffs, max_size=40))
    made = []
    for number, drawn in enumerate(found):
        one = drawn
        due_at = one.due_at + timedelta(microseconds=draw(st.integers(0, 999))) if one.due_at is not None else None
        one = replace(one, referral=nth_id(number), source=draw(_MEMBERS), target=draw(_MEMBERS), due_at=due_at)
        is_tied = draw(st.booleans())
        made.append(replace(one, answered_at=draw(_SHORT), delivered_at=draw(_SHORT)) if is_tied else one)
    return made


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def jurisdiction(database_jurisdictions: Jurisdictions, loop: asyncio.Runner) -> Jurisdiction:
    made = database_jurisdictions.planned()
    loop.run(databases(made))
    return made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_distinct(), st.integers(min_value=0, max_value=10**12))
def test_the_database_s_figures_are_those_of_memory(
    jurisdiction: Jurisdiction, loop: asyncio.Runner, many: list[Handoff], later_us: int
) -> None:
    """By service and urgency, by institution, and by route; open handoffs count with their age, to the microsecond."""
    loop.run(_compare(jurisdiction, many, T0 + timedelta(microseconds=later_us)))


async def _compare(jurisdiction: Jurisdiction, many: list[Handoff], now: datetime) -> None:
    await _store(jurisdiction, many)
    async with open_pool(jurisdiction.postgres_settings(PROJECTION, "reader"), max_size=1) as pool:
        timeline = Timeline(pool, proof_record.ORIGIN)
        stored = await timeline.handoffs(HandoffFilter())
        assert len(stored) == len(many)
        for grouping in Grouping:
            assert await timeline.figures(grouping, now) == summary(stored, now, grouping)


async def _store(jurisdiction: Jurisdiction, many: list[Handoff]) -> None:
    """Store these handoffs, and no others, as the projection does."""
    async with _owner(jurisdiction) as owner:
        await owner.execute("TRUNCATE handoffs")
        await owner.executemany(_WRITE, [handoff_row(handoff) for handoff in many])


@asynccontextmanager
async def _owner(jurisdiction: Jurisdiction) -> AsyncIterator[asyncpg.Connection]:
    dsn, found_in = jurisdiction.postgres_settings(PROJECTION, "owner").dsn, {"search_path": "timeline, public"}
    connection = await asyncpg.connect(dsn, server_settings=found_in)
    try:
        yield connection
    finally:
        await connection.close()


def test_closed_handoffs_are_not_read(jurisdiction: Jurisdiction, loop: asyncio.Runner) -> None:
    """However many there are, the reader gets rows of open handoffs and of groups."""
    few, many = loop.run(_rows_read(jurisdiction, 50)), loop.run(_rows_read(jurisdiction, 5_000))
    assert few == many


async def _rows_read(jurisdiction: Jurisdiction, closed: int) -> int:
    opened = handoff(referral=nth_id(1))
    ended = answered(referral=nth_id(2), closed_at=after(hours=9), ending=Ending(State.COMPLETED, None))
    await _store(jurisdiction, [opened, ended])
    async with _owner(jurisdiction) as owner:
        await owner.execute(QUERIES["copies_of_closed_handoffs"], closed)
    async with open_pool(jurisdiction.postgres_settings(PROJECTION, "reader"), max_size=1) as pool:
        log = QueryLog()
        await log.attach(pool)
        (figures,) = await Timeline(pool, proof_record.ORIGIN).figures(Grouping.SERVICE, after(hours=10))
        assert figures.count == closed + 2
        return sum(query.rows for query in await log.explained(pool))
