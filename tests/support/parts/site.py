"""An installation that the production environment's `handoff init` set up, and whose services run."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import tomli_w

from handoff.config import JurisdictionPlan, PlannedMember
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.jurisdiction import databases
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.codes import MemberKind
from handoff.record.topics import AUDIT
from handoff.trial.tcp_ports import PortBlock
from handoff.trial.trial import Trial
from tests.support.parts.api import OPENING, PLAN, RELEASE
from tests.support.parts.production import Production
from tests.support.probes.eventually import eventually

READY_SECONDS = 60


@dataclass
class Site:
    """A jurisdiction that the production environment's `handoff init` set up, and whose services run."""

    production: Production
    state: Path
    plan: JurisdictionPlan
    operators: tuple[str, ...]
    founded: dict[str, Any]
    trial: Trial
    kafka: KafkaOperator
    postgres: DatabaseOperator
    case: str = ""

    async def document(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        return await self.production.document(*arguments, "--state", self.state, code=code)

    async def say(self, member: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        process = self.trial.supervisor.processes[member]
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {process.token}"}, timeout=20) as http:
            response = await http.post(f"{process.url}{path}", json=body, headers={"Prefer": "wait=20"})
        assert response.status_code < 300, response.text
        found: dict[str, Any] = response.json()
        return found

    async def is_healthy(self) -> bool:
        """The doctor has no finding: all services are ready and a cosigned checkpoint is recent."""
        return (await self.production.run("doctor", "--state", self.state))[0] == 0

    async def is_shown(self, case: str) -> bool:
        """The projection has read an entry of the case."""
        return bool((await self.document("timeline", case))["entries"])

    @asynccontextmanager
    async def without_services(self) -> AsyncIterator[None]:
        """Only the broker and the database run, as maintenance requires it."""
        await asyncio.to_thread(self.trial.supervisor.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self.trial.supervisor.start, lambda _stage: None)
            await eventually(self.is_healthy, READY_SECONDS)


@asynccontextmanager
async def running_site(
    installed: Production, kafka: KafkaOperator, postgres: DatabaseOperator, directory: Path
) -> AsyncIterator[Site]:
    """Police, shelter, coordination and audit, with one referral that waits for its answer."""
    members = (*PLAN.members, PlannedMember(id=AUDIT, service="audit", kind=MemberKind.AUDIT))
    plan = PLAN.model_copy(update={"members": members}).renamed(f"t{secrets.token_hex(4)}")
    plan_file = directory / "given.toml"
    plan_file.write_text(tomli_w.dumps(plan.model_dump(mode="json", exclude_none=True)))
    ports = PortBlock.reserve()
    operators = (
        *("--kafka", kafka.bootstrap_servers),
        *("--postgres", f"{postgres.host}:{postgres.port}"),
    )
    logins = {
        "HANDOFF_KAFKA_OPERATOR": kafka.username,
        "HANDOFF_KAFKA_OPERATOR_PASSWORD": kafka.password,
        "HANDOFF_POSTGRES_OPERATOR": postgres.user,
        "HANDOFF_POSTGRES_OPERATOR_PASSWORD": postgres.password,
    }
    state = directory / "state"
    founded = await installed.with_variables(**logins).document(
        "init", "--state", state, "--plan", plan_file, "--first-port", ports.base + 1, *operators
    )
    trial = Trial(state, plan, lambda _stage: None, kafka=kafka, postgres=postgres)
    made = Site(installed.with_variables(**logins), state, plan, operators, founded, trial, kafka, postgres)
    try:
        await asyncio.to_thread(trial.start)
        made.case = (await made.say("police", "/cases", OPENING))["case"]
        basis = (await made.say("police", f"/cases/{made.case}/bases", RELEASE))["basis"]
        request = {"target": "shelter", "service": "shelter", "urgency": "normal", "basis": basis}
        await made.say("police", f"/cases/{made.case}/referrals", request)
        await eventually(made.is_healthy, READY_SECONDS)
        yield made
    finally:
        await asyncio.to_thread(trial.stop)
        ports.release()
        await database_setup.drop(postgres, databases(plan))
