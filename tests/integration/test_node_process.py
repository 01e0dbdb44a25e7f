"""A node as a process: it takes commands, hears the record, and survives what happens to processes."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.node_process import MEMBERS, NodeProcess, node_process
from tests.support.stack import Jurisdictions
from tests.support.town import Town, plan

OPENING = {"entry_point": "police_call", "reporting_delay": "same_day"}


@dataclass(frozen=True)
class Street:
    """Two nodes and an exchange, running."""

    town: Town
    police: NodeProcess
    shelter: NodeProcess


@pytest.fixture(scope="module")
async def street(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    jurisdiction = await jurisdictions(plan(*MEMBERS))
    place = Town(jurisdiction, tmp_path_factory.mktemp("street"))
    nodes = [node_process(place, "police", "police_intake"), node_process(place, "shelter", "shelter")]
    exchange = place.exchange()
    try:
        for child in (exchange, *(node.child for node in nodes)):
            child.start()
        await place.found()
        for node in nodes:
            await eventually(node.is_ready)
        yield Street(place, *nodes)
    finally:
        for node in nodes:
            node.child.kill()
        await place.close()


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


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

    async def delivered() -> bool:
        found = await street.police.get(f"/cases/{case}/referrals/{referral}")
        return found["delivered_at"] is not None

    await eventually(delivered)
    listed = await street.shelter.get("/referrals")
    assert referral in str(listed)
