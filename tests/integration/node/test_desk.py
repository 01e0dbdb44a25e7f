"""The command desk on a real database."""

import asyncio

import asyncpg
import pytest

from handoff import clock
from handoff.adapters.postgres.node_transaction import SQL
from handoff.domain.commands import CancelReferral, OpenReferral, PublishCapacity, RequestReferral
from handoff.domain.decide import About
from handoff.node.commands.results import IdempotencyConflict, PreconditionFailed, Refused
from handoff.node.rows import OutboxRow
from handoff.record import codec
from handoff.record.codes import CapacityBand, CapacityState, CapacityUnit, CaseService, State, Urgency
from handoff.record.envelope import COORDINATION
from tests.support.dsl.builders import CASE, REFERRAL, T0, after
from tests.support.parts.node_parts import OPENING, RELEASE, Parts, request_a_place

_PENDING = """
INSERT INTO outbox (id, subject, type, value, value_hash, created_at)
SELECT gen_random_uuid(), 'subject ' || number, '', '', number, now() FROM generate_series(1, 20000) AS number
"""

_ROWS_READ = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'outbox'"


async def test_every_statement_is_one_that_the_database_accepts(police: Parts) -> None:
    connection = await asyncpg.connect(police.town.jurisdiction.postgres_settings("police").dsn)
    try:
        for statement in SQL.values():
            await connection.prepare(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("statement", "types", "arguments"),
    [
        ("known", "text[], uuid[], text[], uuid[], bytea, boolean", "'{a subject}', '{}', '{}', '{}', '', true"),
        ("due", "bigint, timestamptz, integer, bytea", "0, '2026-01-05T22:00:00Z', 10, ''"),
    ],
)
async def test_a_backlog_during_an_outage_slows_no_command(
    police: Parts, statement: str, types: str, arguments: str
) -> None:
    """A statement that was planned over an outbox known to be empty reads few rows once much is pending."""
    jurisdiction = police.town.jurisdiction
    owner = await asyncpg.connect(jurisdiction.postgres.dsn(f"{jurisdiction.name}_police"))
    await owner.execute("VACUUM ANALYZE outbox")
    await owner.close()
    async with police.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"PREPARE lookup ({types}) AS {SQL[statement]}")
        for _ in range(10):
            await connection.execute(f"EXECUTE lookup ({arguments})")
        await connection.execute(_PENDING)
        before = await connection.fetchval(_ROWS_READ)
        await connection.execute(f"EXECUTE lookup ({arguments})")
        after_it = await connection.fetchval(_ROWS_READ)
        await connection.execute("DEALLOCATE lookup")
    assert after_it - before < 100


async def test_a_command_is_decided_over_what_waits_for_its_echo(police: Parts) -> None:
    desk = police.desk()
    case, referral, events = await request_a_place(desk)
    await desk.submit(CancelReferral(), About(case=case, referral=referral))
    with pytest.raises(Refused) as refused:
        await desk.submit(CancelReferral(), About(case=case, referral=referral))
    assert refused.value.refusal.state is State.CANCELLED
    assert refused.value.seen == 2
    stored = await police.query("outbox")
    assert [row["id"] for row in stored][:3] == list(events)


async def test_a_refused_command_stores_nothing(police: Parts) -> None:
    with pytest.raises(Refused):
        await police.desk().submit(OpenReferral(), About(case=CASE, referral=REFERRAL), idempotency_key="once-only")
    assert await police.query("outbox") == []
    assert await police.query("idempotency_keys") == []


async def test_a_repeat_under_its_key_gives_the_same_answer(police: Parts) -> None:
    desk = police.desk()
    first = await desk.submit(OPENING, About(), idempotency_key="the-same-key")
    again = await desk.submit(OPENING, About(), idempotency_key="the-same-key")
    assert (again.events, again.about, again.replayed) == (first.events, first.about, True)
    with pytest.raises(IdempotencyConflict):
        await desk.submit(RELEASE, first.about, idempotency_key="the-same-key")
    assert len(await police.query("outbox")) == 1


async def test_a_repeat_makes_nothing_a_second_time_where_its_key_is_forgotten(police: Parts) -> None:
    """As after a backup: what a command makes is named by its key, and exists."""
    desk = police.desk()
    opened = await desk.submit(OPENING, About(), idempotency_key="opened-once")
    recorded = await desk.submit(RELEASE, opened.about, idempotency_key="recorded-once")
    assert recorded.about.basis is not None
    request = RequestReferral(
        target="shelter", service=CaseService.SHELTER, urgency=Urgency.EMERGENCY, basis=recorded.about.basis
    )
    await desk.submit(request, opened.about, idempotency_key="asked-once")
    await police.execute_as_owner("forget_idempotency_keys")
    for command, about, key in (
        (OPENING, About(), "opened-once"),
        (RELEASE, opened.about, "recorded-once"),
        (request, opened.about, "asked-once"),
    ):
        with pytest.raises(Refused):
            await desk.submit(command, about, idempotency_key=key)
    assert len(await police.query("outbox")) == 3


async def test_repeats_that_race_have_one_effect(police: Parts) -> None:
    desk = police.desk()
    answers = await asyncio.gather(*(desk.submit(OPENING, About(), idempotency_key="raced-key") for _ in range(12)))
    assert len({answer.events for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert len(await police.query("outbox")) == 1


async def test_commands_that_race_on_a_case_are_decided_one_after_the_other(police: Parts) -> None:
    desk = police.desk()
    case, referral, _ = await request_a_place(desk)
    about = About(case=case, referral=referral)
    results = await asyncio.gather(*(desk.submit(CancelReferral(), about) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(result, Refused) for result in results) == 1


async def test_a_caller_with_a_stale_version_is_refused(police: Parts) -> None:
    desk = police.desk()
    case, referral, _ = await request_a_place(desk)
    with pytest.raises(PreconditionFailed) as failed:
        await desk.submit(CancelReferral(), About(case=case, referral=referral), if_match=frozenset({7}))
    assert (failed.value.state, failed.value.seen) == (State.REQUESTED, 1)
    await desk.submit(CancelReferral(), About(case=case, referral=referral), if_match=frozenset({1}))


async def test_a_caller_waits_no_longer_than_requested_for_an_echo(police: Parts) -> None:
    desk = police.desk()
    opened = await desk.submit(OPENING, About())
    assert await desk.outcome(opened.events, 0.05) is None


async def test_an_agencys_capacity_is_about_the_status_of_the_jurisdiction(police: Parts) -> None:
    capacity = PublishCapacity(
        service=CaseService.POLICE_PROTECTION,
        unit=CapacityUnit.CASE_SLOT,
        band=CapacityBand.SOME,
        state=CapacityState.OPEN,
        as_of=T0,
        valid_until=after(days=1),
    )
    await police.desk().submit(capacity, About())
    (row,) = await police.query("outbox")
    assert row["subject"] == f"{police.town.name}/status"


async def test_the_work_list_pages_without_gaps(police: Parts) -> None:
    desk, intake = police.desk(), await police.intake()
    for _ in range(5):
        await request_a_place(desk)
    await intake.handle(await police.echoes(at=clock.now()))
    listed = await desk.referrals(limit=100)
    paged = [*await desk.referrals(limit=2)]
    while page := await desk.referrals(after=paged[-1].key, limit=2):
        paged += page
    assert tuple(paged) == listed
    assert len(listed) == 5
    assert await desk.referrals(states=[State.ACCEPTED]) == ()


async def test_the_founding_is_put_into_an_outbox_once(police: Parts) -> None:
    genesis = police.town.genesis
    assert await police.desk().publish([genesis]) == 1
    assert await police.desk().publish([genesis]) == 0
    assert genesis.emitter == COORDINATION
    (row,) = await police.query("outbox")
    assert row["value"] == codec.encode(genesis) == OutboxRow.of(genesis, T0).value


async def test_the_backlog_counts_what_waits(police: Parts) -> None:
    desk = police.desk()
    await request_a_place(desk)
    backlog = await desk.pending()
    assert (backlog.unsent, backlog.unechoed, backlog.parked, backlog.quarantined) == (3, 3, 0, 0)
    assert backlog.oldest_seconds >= 0
