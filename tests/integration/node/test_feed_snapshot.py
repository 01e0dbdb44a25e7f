"""A client that takes a snapshot and continues from its sequence knows what a client of the whole feed knows."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.node import build_desk, build_intake
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.delivery import EFFECTIVE, to_ms
from handoff.record.kafka_record import KafkaRecord
from handoff.web.app import create_app
from tests.property.programs import Move, beginnings, many_moves, played
from tests.support.dsl import spec
from tests.support.dsl.builders import key_of, own_keys_of, signed
from tests.support.dsl.judged import GENESIS_HASH
from tests.support.dsl.spec import POLICE, SHELTER, Record, Sent
from tests.support.parts.api import AUTHORIZED, PLAN, TOKEN
from tests.support.parts.node_parts import delivered
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.queries import QUERIES

STATE_AFTER = {
    "referral.requested": "requested",
    "referral.imported": "requested",
    "referral.accepted": "accepted",
    "referral.rejected": "rejected",
    "referral.revoked": "revoked",
    "referral.started": "in-progress",
    "referral.paused": "on-hold",
    "referral.completed": "completed",
    "referral.failed": "failed",
    "referral.cancelled": "cancelled",
    "referral.voided": "entered-in-error",
}
TIME_OF = {"referral.delivered": "delivered_at", "referral.opened": "opened_at", "referral.started": "started_at"}
OPEN = {"requested", "accepted", "in-progress", "on-hold"}
KEPT = ("source", "target", "service", "urgency", "basis", "state", *TIME_OF.values())


@dataclass
class Client:
    """A client that knows the public documentation only. It keeps its open referrals and a cursor."""

    referrals: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    cursor: int = 0

    async def take_snapshot(self, http: httpx.AsyncClient) -> None:
        """Replace everything by a snapshot."""
        content = (await http.get("/feed/snapshot")).json()
        self.cursor = content["next"]
        self.referrals = {
            (row["case"], row["id"]): {name: row[name] for name in KEPT if name in row} for row in content["referrals"]
        }

    async def follow(self, http: httpx.AsyncClient) -> None:
        """Read the feed from the cursor to its end."""
        while page := (await http.get("/feed", params={"after": self.cursor, "limit": 7})).json()["entries"]:
            for entry in page:
                self.cursor = entry["sequence"]
                if entry["verdict"] == "effective":
                    self._apply(entry["event"], entry["record_time"])

    def _apply(self, event: dict[str, Any], at: str) -> None:
        name, body = event["type"].rpartition(".v")[0], event["data"]
        key = (event["subject"], body.get("referral"))
        if name in {"referral.requested", "referral.imported"}:
            known = {"source": event["source"].rpartition("/")[2], **body, "basis": body["basis"]["basis"]}
            self.referrals[key] = {name: known[name] for name in KEPT if name in known}
        referral = self.referrals.get(key)
        if referral is None:
            return
        if name in TIME_OF:
            referral[TIME_OF[name]] = at
        if name == "referral.resumed":
            referral["state"] = "in-progress" if "started_at" in referral else "accepted"
        referral["state"] = STATE_AFTER.get(name, referral.get("state"))
        if referral["state"] not in OPEN:
            del self.referrals[key]


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases(PLAN)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(beginning=beginnings, moves=many_moves, member=st.sampled_from([POLICE, SHELTER]), cut=st.floats(0, 1))
def test_a_snapshot_and_the_feed_from_there_equal_the_whole_feed(
    jurisdiction: Jurisdiction, beginning: tuple[Sent, ...], moves: list[Move], member: str, cut: float
) -> None:
    """Wherever the snapshot is taken: the feed is neither repeated nor skipped at its sequence."""
    deliveries = list(delivered_to(member, played(moves, beginning)))
    whole, resynchronised = asyncio.run(both_clients(jurisdiction, member, deliveries, int(cut * len(deliveries))))
    assert resynchronised == whole


def delivered_to(member: str, record: Record) -> Iterator[KafkaRecord]:
    """Return the inbox of a member, as the exchange writes it."""
    founding = [(event, spec.T0 - spec.DAY, EFFECTIVE) for event in spec.foundation()]
    routed = [(entry.event, entry.at, entry.verdict) for entry in record.entries if member in entry.recipients]
    link = bytes.fromhex(GENESIS_HASH)
    for sequence, (event, at, verdict) in enumerate([*founding, *routed], 1):
        delivery, link = delivered(member, sequence, signed(event), link, verdict=verdict, at=at)
        yield KafkaRecord(sequence - 1, to_ms(at), delivery.to_message())


async def both_clients(
    jurisdiction: Jurisdiction, member: str, deliveries: list[KafkaRecord], cut: int
) -> tuple[Client, Client]:
    """Return a client that read the whole feed, and one that took a snapshot after ``cut`` deliveries."""
    owner = await asyncpg.connect(jurisdiction.postgres_settings(member, "owner").dsn)
    await owner.execute(QUERIES["wipe_node"])
    await owner.close()
    whole, resynchronised = Client(), Client()
    async with open_pool(jurisdiction.postgres_settings(member)) as pool:
        intake = build_intake(spec.source(member), GENESIS_HASH, pool, ())
        await intake.begin()
        app = create_app(
            build_desk(spec.source(member), own_keys_of(member), key_of(member).seed, pool), member=member, token=TOKEN
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://node", headers=AUTHORIZED) as http:
            if cut > 0:
                await intake.handle(deliveries[:cut])
            await resynchronised.take_snapshot(http)
            if cut < len(deliveries):
                await intake.handle(deliveries[cut:])
            await whole.follow(http)
            await resynchronised.follow(http)
    return whole, resynchronised
