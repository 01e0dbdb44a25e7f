"""Desks on a real database, with the directory of Prizren folded, and a record's answers played to them."""

from collections.abc import Iterable
from uuid import UUID

import asyncpg

from handoff.bootstrap.node import build_desk
from handoff.config import JurisdictionPlan
from handoff.domain.directory import Directory, Member
from handoff.domain.escalations import Escalation
from handoff.domain.judge import judge
from handoff.node.commands import optimistic_state
from handoff.node.commands.desk import Desk
from handoff.node.ports import Transaction
from handoff.node.rows import Echo, InboxPosition, InboxRow, OutboxRow
from handoff.record import codec
from handoff.record.codec import AnyEvent
from handoff.record.delivery import EFFECTIVE, Delivery, Verdict
from handoff.record.envelope import COORDINATION, Source
from tests.support.dsl.builders import key_of, own_keys_of, signed


def directory_of(plan: JurisdictionPlan) -> Directory:
    """The directory once everyone in the plan is admitted."""
    return Directory(
        plan.name,
        plan.generation,
        founded=True,
        coordinator=COORDINATION,
        rules=1,
        members={m.id: Member(m.id, m.kind, m.offers, m.classes) for m in plan.members},
        deadlines=tuple(deadline.terms() for deadline in plan.deadlines),
    )


async def desk_of(
    pool: asyncpg.Pool, member: str, directory: Directory, escalations: Iterable[Escalation] = ()
) -> Desk:
    """A desk that takes commands for ``member`` and knows ``directory`` and ``escalations``."""
    me = Source(directory.jurisdiction, directory.generation, member)
    desk = build_desk(me, own_keys_of(member), key_of(member).seed, pool)
    async with desk.store.transaction() as tx:
        await tx.save_directory(directory, 0)
        await tx.save_escalations({escalation.reference: (escalation, 0) for escalation in escalations})
    return desk


async def echo(desk: Desk, case: UUID, verdict: Verdict = EFFECTIVE) -> None:
    """Lets the record answer everything that waits for it in a case, as an inbox would hear it."""
    async with desk.store.transaction() as tx:
        rows = (await tx.known([str(case)])).pending
        events = [codec.decode(row.value) for row in rows]
        settled = [OutboxRow.of(event, row.created_at, row.value) for event, row in zip(events, rows, strict=True)]
        await tx.settle([Echo(row, number, verdict, row.created_at) for number, row in enumerate(settled, 1)])
        if verdict.is_effective:
            await _fold(tx, case, events)
    desk.folded.notify()


async def _fold(tx: Transaction, case: UUID, events: Iterable[AnyEvent]) -> None:
    kept = await tx.known([str(case)])
    assert kept.directory is not None
    known = optimistic_state.situation_of(kept.directory, str(case), kept.cases.get(case))
    for event in events:
        judged, known = judge(known, event, event.time)
        assert judged.is_effective, judged
    assert known.case is not None
    await tx.save_cases({case: (known.case, 1)})


async def receive(desk: Desk, *deliveries: tuple[AnyEvent, Verdict]) -> None:
    """Lays events into the inbox, from sequence 1 on."""
    async with desk.store.transaction() as tx:
        rows = [
            InboxRow(
                number,
                Delivery(number, event.time, verdict, signed(event)),
                own=event.emitter == desk.me.member,
                chain=bytes(32),
                rules=1,
            )
            for number, (event, verdict) in enumerate(deliveries, 1)
        ]
        await tx.store_inbox(rows, InboxPosition(len(rows), len(rows)))
