"""A node as a process: it accepts commands, reads its inbox, and survives signals and failures."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.node import build_desk
from handoff.domain.decide import About
from handoff.record.envelope import Source
from tests.support.dsl.builders import T0, key_of, own_keys_of
from tests.support.parts.node_parts import OPENING as OPEN_CASE
from tests.support.parts.node_process import NodeProcess, Street, node_process, two_nodes
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually
from tests.support.probes.queries import QUERIES

OPENING = {"entry_point": "police_call", "reporting_delay": "same_day"}


@pytest.fixture(scope="module")
async def street(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    async with two_nodes(jurisdictions, tmp_path_factory.mktemp("street")) as nodes:
        yield nodes


def a_release() -> dict[str, Any]:
    expires_at = (datetime.now(UTC) + timedelta(days=30)).isoformat()  # noqa: TID251 - a test is an edge
    return {
        "kind": "release.oral_witnessed",
        "purpose": "arrange_shelter",
        "recipient_class": "licensed_shelter",
        "expires_at": expires_at,
    }


async def ask_for_a_place(police: NodeProcess) -> tuple[str, str]:
    case = (await police.post("/cases", OPENING))["case"]
    basis = (await police.post(f"/cases/{case}/bases", a_release()))["basis"]
    asked = {"target": "shelter", "service": "shelter", "urgency": "emergency", "basis": basis}
    stored = await police.post(f"/cases/{case}/referrals", asked, Prefer="wait=20")
    assert stored["status"] == "effective"
    return case, stored["referral"]


async def test_a_request_reaches_its_target_and_the_receipt_its_source(street: Street) -> None:
    case, referral = await ask_for_a_place(street.police)
    await until_delivered(street.police, case, referral)
    listed = await street.shelter.get("/referrals")
    assert referral in str(listed)


async def test_a_node_measures_its_requests_and_its_echoes(street: Street) -> None:
    """It exports histograms of both, and no metric of another kind of process."""
    await street.police.post("/cases", OPENING, Prefer="wait=20")
    metrics = await street.police.metrics()
    assert metrics["handoff_echo_seconds_count"] >= 1
    answered = [name for name in metrics if name.startswith("handoff_request_seconds_count{")]
    assert [name for name in answered if 'method="POST"' in name and 'route="/cases"' in name]
    assert not [name for name in metrics if name.startswith(("handoff_routed", "handoff_projection"))]


async def until_delivered(police: NodeProcess, case: str, referral: str) -> None:
    async def delivered() -> bool:
        return "delivered_at" in await police.get(f"/cases/{case}/referrals/{referral}")

    await eventually(delivered)


async def test_a_node_stops_cleanly_on_sigterm(street: Street) -> None:
    """It exits with code 0. A process that does not stop in time is killed, and has another code."""
    child = street.shelter.child
    assert await asyncio.to_thread(child.terminate) == 0, child.log_tail()
    child.start()
    await eventually(street.shelter.is_ready)


async def test_an_active_node_deletes_the_keys_that_have_expired(street: Street) -> None:
    """When it starts to lead, with the periods of its settings."""
    made = street.town.jurisdiction
    async with open_pool(made.postgres_settings("shelter")) as pool:
        me = Source(street.town.name, 1, "shelter")
        long_ago = build_desk(
            me, own_keys_of("shelter"), key_of("shelter").seed, pool, clock=lambda: T0 - timedelta(days=365)
        )
        await long_ago.submit(OPEN_CASE, About(), idempotency_key="long ago")
        await long_ago.submit(OPEN_CASE, About(), idempotency_key="long ago too")
        assert len(await pool.fetch(QUERIES["idempotency_keys"])) == 2
        street.shelter.child.kill()
        street.shelter.child.start()

        async def deleted() -> bool:
            return not await pool.fetch(QUERIES["idempotency_keys"])

        await eventually(deleted)
    await eventually(street.shelter.is_ready)


@pytest.mark.faults
async def test_no_answered_command_is_lost_when_a_node_is_killed(street: Street) -> None:
    cases: list[str] = []

    async def keep_opening() -> None:
        while True:
            cases.append((await street.police.post("/cases", OPENING))["case"])

    callers = [asyncio.create_task(keep_opening()) for _ in range(4)]
    await eventually(lambda: at_least(20, cases))
    street.police.child.kill()
    await asyncio.gather(*callers, return_exceptions=True)
    street.police.child.start()
    await eventually(street.police.is_ready)
    for case in cases:
        await until_effective(street.police, case)


async def at_least(count: int, found: list[str]) -> bool:
    return len(found) >= count


async def until_effective(police: NodeProcess, case: str) -> None:
    async def effective() -> bool:
        return not (await police.get(f"/cases/{case}"))["pending"]

    await eventually(effective)


@pytest.mark.faults
async def test_a_node_killed_while_it_reads_folds_everything_once(street: Street) -> None:
    asked = [await ask_for_a_place(street.police) for _ in range(3)]
    street.shelter.child.kill()
    asked += [await ask_for_a_place(street.police) for _ in range(3)]
    street.shelter.child.start()
    for case, referral in asked:
        await until_delivered(street.police, case, referral)


@pytest.mark.faults
async def test_commands_are_taken_while_the_brokers_are_away(street: Street, tmp_path: Path) -> None:
    """The node is ready without a broker, and stores; the same node sends it once the brokers are there."""
    street.police.child.kill()
    cut_off = node_process(replace(street.town, directory=tmp_path), "police", "police_intake", broker="127.0.0.1:1")
    cut_off.child.start()
    try:
        await eventually(cut_off.is_live)
        case = (await cut_off.post("/cases", OPENING))["case"]
        await eventually(cut_off.is_ready)
        assert not (await cut_off.parts())["broker"]["ready"]
    finally:
        cut_off.child.kill()
        street.police.child.start()
    await eventually(street.police.is_ready)
    await until_effective(street.police, case)
