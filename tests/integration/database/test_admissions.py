"""`handoff init` waits for the verdict on each admission, and fails if one is not in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.node.rows import Echo, OutboxRow
from handoff.operations.setup import database_setup
from handoff.operations.setup.admissions import AdmissionFailed, wait_until_admitted
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.founding import found
from handoff.operations.setup.installation import Installation
from handoff.record.delivery import DUPLICATE, EFFECTIVE, Verdict, VerdictKind
from handoff.record.envelope import COORDINATION, Event
from handoff.record.events.directory import AgencyAdmitted
from tests.support.dsl.builders import T0
from tests.support.parts.stack import Jurisdictions


@dataclass
class Coordinator:
    """The coordinator's database with the founding events in its outbox, and the echoes that a test stores."""

    installation: Installation
    events: Sequence[Event[Any]]

    async def echo(self, verdict: Verdict, events: Sequence[Event[Any]]) -> None:
        echoes = [Echo(OutboxRow.of(event, T0), number, verdict, T0) for number, event in enumerate(events, 1)]
        async with (
            open_pool(self.installation.coordinator_database) as pool,
            PostgresStore(pool).transaction() as transaction,
        ):
            await transaction.settle(echoes)

    async def wait(self, seconds: float = 5) -> None:
        await wait_until_admitted(self.installation.coordinator_database, self.events, seconds)

    @property
    def admission(self) -> Event[Any]:
        return next(event for event in self.events if isinstance(event.data, AgencyAdmitted))

    @property
    def others(self) -> list[Event[Any]]:
        return [event for event in self.events if event is not self.admission]


@pytest.fixture
async def coordinator(database_jurisdictions: Jurisdictions, tmp_path: Path) -> Coordinator:
    made = database_jurisdictions.planned()
    await database_setup.apply(made.postgres, (Database(made.name, COORDINATION, "node"),), made.passwords.postgres)
    installation = Installation(tmp_path, made, lambda index: 9000 + index)
    await found(installation, T0)
    return Coordinator(installation, tuple(installation.founding_events(T0)))


async def test_effective_and_repeated_admissions_end_the_wait(coordinator: Coordinator) -> None:
    await coordinator.echo(DUPLICATE, [coordinator.admission])
    await coordinator.echo(EFFECTIVE, coordinator.others)
    await coordinator.wait()


@pytest.mark.parametrize("kind", [VerdictKind.INEFFECTIVE, VerdictKind.INVALID])
async def test_an_admission_without_effect_fails_with_its_member_and_reason(
    coordinator: Coordinator, kind: VerdictKind
) -> None:
    """Other events without a verdict do not delay the failure."""
    await coordinator.echo(Verdict(kind, "unknown_member"), [coordinator.admission])
    with pytest.raises(AdmissionFailed) as failed:
        await coordinator.wait(seconds=600)
    assert coordinator.admission.data.member in str(failed.value)
    assert f"{kind.value}: unknown_member" in str(failed.value)


async def test_an_admission_without_a_verdict_fails_in_the_end_and_is_named(coordinator: Coordinator) -> None:
    await coordinator.echo(EFFECTIVE, coordinator.others)
    with pytest.raises(AdmissionFailed) as failed:
        await coordinator.wait(seconds=0)
    assert f"on: {coordinator.admission.type} of {coordinator.admission.data.member}. " in str(failed.value)
    assert "handoff doctor" in str(failed.value)


async def test_a_database_that_is_not_there_is_named(coordinator: Coordinator) -> None:
    made = coordinator.installation.jurisdiction
    await database_setup.drop(made.postgres, (Database(made.name, COORDINATION, "node"),))
    with pytest.raises(AdmissionFailed) as failed:
        await coordinator.wait()
    assert isinstance(failed.value.__cause__, asyncpg.PostgresError)
