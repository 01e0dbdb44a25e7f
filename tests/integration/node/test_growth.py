"""The cost of a command and of a fold does not grow with the record: nothing of other cases is read."""

from collections.abc import AsyncIterator
from uuid import uuid5

import pytest
import pytest_asyncio

from handoff.adapters.postgres.pool import open_pool
from handoff.bootstrap.node import build_desk, build_intake
from handoff.domain.commands import AcknowledgeEscalation
from handoff.domain.decide import About
from handoff.node.commands.results import Refused
from handoff.node.inbox.fold import InboxFold
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.inbox.intake import save
from handoff.node.inbox.rebuild import rebuild
from handoff.record.codec import AnyEvent
from handoff.record.codes import AcknowledgementAction, CaseService, DeadlineStep
from handoff.record.envelope import COORDINATION, EXCHANGE
from handoff.record.events.deadline import DeadlineEscalated
from handoff.record.events.directory import AgencySuspended
from tests.support.dsl.builders import T0, key_of, nth_id, own_keys_of
from tests.support.parts.node_parts import Parts, node_parts
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.metered_database import metered

FEW, MANY = 4, 10_000
ANSWER = AcknowledgeEscalation(action=AcknowledgementAction.CALLED_AGENCY)


@pytest_asyncio.fixture(scope="module")
async def coordination(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    async with node_parts(jurisdictions, tmp_path_factory.mktemp("growth"), [COORDINATION]) as [parts]:
        yield parts


def _escalated(parts: Parts, number: int) -> AnyEvent:
    body = DeadlineEscalated(
        reference=nth_id(number),
        member="shelter",
        service=CaseService.SHELTER,
        step=DeadlineStep.ANSWERED,
        age_seconds=3600,
    )
    return parts.town.event(body, emitter=EXCHANGE, id=uuid5(nth_id(number), "escalated"))


async def _with_escalations(parts: Parts, count: int) -> None:
    """Fill the database with what a record with ``count`` missed deadlines leaves."""
    await parts.wipe()
    intake = await parts.intake(end=None)
    await intake.handle(parts.founding())
    directory = await parts.desk().directory()
    fold = InboxFold(parts.member, parts.genesis_hash, directory, {}, {})
    for number in range(count):
        fold.apply(InboxEntry.from_record(parts.post(_escalated(parts, number))))
    parts.sequence -= count
    assert (fold.directory is directory, len(fold.escalations)) == (True, count)
    async with parts.store.transaction() as tx:
        await save(tx, fold)


async def _cost(parts: Parts, count: int) -> list[tuple[int, int, int]]:
    """The questions and the bytes in each direction of a command, and of the fold of its echo."""
    await _with_escalations(parts, count)
    me, keys = parts.me, own_keys_of(parts.member)
    async with (
        metered(parts.town.jurisdiction.postgres_settings(parts.member)) as (settings, meter),
        open_pool(settings, max_size=1) as pool,
    ):
        desk = build_desk(me, keys, key_of(parts.member).seed, pool, clock=lambda: T0)
        intake = build_intake(me, parts.genesis_hash, pool, (), clock=lambda: T0)
        await intake.begin()
        for reference in (nth_id(0), nth_id(1)):
            meter.read()
            await desk.submit(ANSWER, About(escalation=reference))
            command = meter.read()
            await intake.handle(await parts.echoes())
            fold = meter.read()
    return [command, fold]


async def test_a_command_and_a_fold_cost_the_same_after_ten_thousand_missed_deadlines(coordination: Parts) -> None:
    """The same questions, and the same bytes in both directions."""
    few, many = await _cost(coordination, FEW), await _cost(coordination, MANY)
    assert few == many
    assert len(await coordination.desk().escalations()) == MANY - 2


async def test_a_rebuild_gives_the_same_escalations_to_the_byte(coordination: Parts) -> None:
    """Open ones remain, and an acknowledged one does not come back."""
    await coordination.wipe()
    intake, desk = await coordination.intake(), coordination.desk()
    await intake.handle([*coordination.founding(), *(coordination.post(_escalated(coordination, n)) for n in range(3))])
    await desk.submit(ANSWER, About(escalation=nth_id(1)))
    await intake.handle(await coordination.echoes())
    with pytest.raises(Refused):
        await desk.submit(ANSWER, About(escalation=nth_id(1)))
    report = await rebuild(coordination.store, coordination.me, coordination.genesis_hash, most_cases=1)
    assert report.identical
    assert "escalations" in report.after
    assert [found.reference for found in await desk.escalations()] == [nth_id(0), nth_id(2)]


async def test_the_directory_is_read_once_for_each_of_its_versions(coordination: Parts) -> None:
    """A changed directory counts for the next command, whichever process has folded it."""
    await coordination.wipe()
    intake, desk = await coordination.intake(), coordination.desk()
    await intake.handle(coordination.founding())
    first = await desk.directory()
    assert await desk.directory() is first
    suspended = coordination.town.event(AgencySuspended(member="shelter"), emitter=COORDINATION)
    await intake.handle([coordination.post(suspended)])
    assert (await desk.directory()).members["shelter"].suspended
