"""An agency's and the coordinator's API on a real database, and a client that calls it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from handoff.adapters.postgres.pool import open_pool
from handoff.config import JurisdictionPlan, PlannedMember, PostgresSettings
from handoff.domain.escalations import Escalation
from handoff.node.commands.desk import Desk
from handoff.record.codes import CaseService, MemberKind, RecipientClass
from handoff.web.apis import AGENCY_API, ApiDefinition
from handoff.web.app import create_app
from tests.support.parts.desks import desk_of, directory_of

TOKEN = "police-token-for-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}

OPENING = {"entry_point": "police_call", "reporting_delay": "over_1y"}
RELEASE = {
    "kind": "release.oral_witnessed",
    "purpose": "arrange_shelter",
    "recipient_class": "licensed_shelter",
    "expires_at": "2150-01-01T00:00:00Z",
}

PLAN = JurisdictionPlan.model_validate(
    {
        "jurisdiction": {"name": "small", "generation": 1},
        "members": [
            PlannedMember(id="police", service="police_intake", offers=(CaseService.POLICE_PROTECTION,)),
            PlannedMember(
                id="shelter",
                service="shelter",
                offers=(CaseService.SHELTER,),
                classes=(RecipientClass.LICENSED_SHELTER,),
            ),
            PlannedMember(id="coordination", service="coordination", kind=MemberKind.COORDINATION),
        ],
    }
)
"""The smallest jurisdiction in which a referral is possible."""


@dataclass(frozen=True)
class Api:
    """A member's API, called without a network, and its desk."""

    http: httpx.AsyncClient
    desk: Desk
    pool: asyncpg.Pool

    async def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        """Send a command, with headers written as ``if_match='"1"'``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, json={} if body is None else body, headers=named)

    async def made(self, path: str, body: object = None) -> dict[str, Any]:
        """Send a command that must be stored, and return the response body."""
        answer = await self.post(path, body)
        assert answer.status_code == 202, answer.text
        content: dict[str, Any] = answer.json()
        return content

    async def case(self) -> UUID:
        """Open a case."""
        return UUID((await self.made("/cases", OPENING))["case"])

    async def referral(self) -> tuple[UUID, UUID]:
        """Open a case and request a shelter place in it."""
        case = await self.case()
        basis = (await self.made(f"/cases/{case}/bases", RELEASE))["basis"]
        request = {"target": "shelter", "service": "shelter", "urgency": "emergency", "basis": basis}
        return case, UUID((await self.made(f"/cases/{case}/referrals", request))["referral"])


@asynccontextmanager
async def api(
    settings: PostgresSettings,
    plan: JurisdictionPlan,
    *,
    member: str = "police",
    definition: ApiDefinition = AGENCY_API,
    escalations: Sequence[Escalation] = (),
) -> AsyncIterator[Api]:
    """The API of ``member`` on the database at ``settings``."""
    async with open_pool(settings) as pool:
        desk = await desk_of(pool, member, directory_of(plan), escalations)
        app = create_app(desk, member=member, token=TOKEN, api=definition)
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://node", headers=AUTHORIZED) as http:
            yield Api(http, desk, pool)
