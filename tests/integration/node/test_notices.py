"""Deadlines at an agency's API: remaining time in list and detail, and notices outside the feed's cursor."""

from datetime import timedelta

import asyncpg
import httpx
import pytest_asyncio

from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.node import build_desk, build_intake
from handoff.domain.handoff_clock import CLOCK_VERSION
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.events import referral as r
from handoff.web.app import create_app
from tests.integration.node.test_feed_snapshot import delivered_to
from tests.support.dsl import spec
from tests.support.dsl.builders import key_of, own_keys_of
from tests.support.dsl.judged import GENESIS_HASH
from tests.support.dsl.spec import HOUR, REFERRAL, SHELTER, Sent, given
from tests.support.parts.api import AUTHORIZED, PLAN, TOKEN
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.queries import QUERIES


@pytest_asyncio.fixture
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases(PLAN)


async def test_the_owing_agency_sees_its_deadline_and_gets_notices(jurisdiction: Jurisdiction) -> None:
    """Three quarters of an hour after an emergency was opened: a quarter is left, and one notice was given."""
    opened = Sent(SHELTER, r.ReferralDelivered(referral=REFERRAL)), Sent(SHELTER, r.ReferralOpened(referral=REFERRAL))
    record = given(spec.requested(), *opened).record
    delivered_at = record.referral().delivered_at
    assert delivered_at is not None
    now = delivered_at + timedelta(minutes=45)
    owner = await asyncpg.connect(jurisdiction.postgres_settings(SHELTER, "owner").dsn)
    await owner.execute(QUERIES["wipe_node"])
    await owner.close()
    async with open_pool(jurisdiction.postgres_settings(SHELTER)) as pool:
        intake = build_intake(spec.source(SHELTER), GENESIS_HASH, pool, ())
        await intake.begin()
        await intake.handle(list(delivered_to(SHELTER, record)))
        desk = build_desk(spec.source(SHELTER), own_keys_of(SHELTER), key_of(SHELTER).seed, pool, clock=lambda: now)
        transport = httpx.ASGITransport(create_app(desk, member=SHELTER, token=TOKEN))
        async with httpx.AsyncClient(transport=transport, base_url="http://node", headers=AUTHORIZED) as http:
            [row] = (await http.get("/referrals")).json()["referrals"]
            [notice] = (await http.get("/feed/notices")).json()["notices"]
            rules = (await http.get("/clock")).json()
    clock = row["clock"]
    assert (clock["version"], clock["reason"], clock["deadline"]["step"]) == (CLOCK_VERSION, "running", "answered")
    assert clock["deadline"]["remaining_seconds"] == HOUR.total_seconds() / 4
    assert clock["segments"][-1]["segment"] == "deciding"
    assert (notice["share"], notice["clock"]["owes"], notice["referral"]) == (50, SHELTER, str(REFERRAL))
    assert rules["version"] == CLOCK_VERSION
