"""The facts of figures, read from the timeline in one snapshot. A reader's role suffices."""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.timeline_reader import handoff_of
from handoff.record.codes import DeadlineStep
from handoff.record.delivery import from_ms, to_ms
from handoff.record.envelope import Event
from handoff.record.events.case import CaseOpened
from handoff.record.events.deadline import DeadlineEscalated, DeadlineMissed, EscalationAcknowledged
from handoff.record.kafka_record import parse_value
from handoff.views.figures.facts import EscalationFacts, Facts, HandoffFacts, OpeningFacts, Places
from handoff.views.handoffs import Handoff

_SQL = statements("figure_reader.sql")
_TYPES = (CaseOpened, DeadlineMissed, DeadlineEscalated, EscalationAcknowledged)

Late = dict[Hashable, dict[DeadlineStep, datetime]]


@dataclass(frozen=True, slots=True)
class ReadFacts:
    """Facts, the record time up to which they are known, and the version of the rules in force there."""

    facts: Facts
    record_time: datetime
    rules: int | None


async def read_facts(
    pool: asyncpg.Pool, members: tuple[str, ...], places: Mapping[str, Places], as_of: datetime | None = None
) -> ReadFacts:
    """Read everything that figures are computed from. ``members`` and ``places`` are those of the plan.

    The version of the rules is that in force at ``as_of``, by default at the newest record time.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        (position,) = await connection.fetch(_SQL["position"], None if as_of is None else to_ms(as_of))
        rows = await connection.fetch(_SQL["handoffs"])
        events = await connection.fetch(_SQL["events"], [each.name() for each in _TYPES])
    openings: list[OpeningFacts] = []
    late: Late = defaultdict(dict)
    escalations: dict[UUID, EscalationFacts] = {}
    for at_ms, value in events:
        event = parse_value(value).event
        if isinstance(event, Event):
            _add(event, from_ms(at_ms), openings, late, escalations)
    handoffs = [_facts(handoff_of(row), late) for row in rows]
    facts = Facts(handoffs, openings, tuple(escalations.values()), members, places)
    return ReadFacts(facts, from_ms(position["record_ms"]), position["rules"])


def _add(
    event: Event[Any],
    at: datetime,
    openings: list[OpeningFacts],
    late: Late,
    escalations: dict[UUID, EscalationFacts],
) -> None:
    match event.data:
        case CaseOpened() as opening:
            offers = {offer.service: offer.answer for offer in opening.offered}
            openings.append(OpeningFacts(event.subject, at, opening.entry_point, opening.reporting_delay, offers))
        case DeadlineMissed(referral=UUID() as referral) as missed:
            late[UUID(event.subject), referral].setdefault(missed.step, at)
        case DeadlineEscalated(repeats=None) as raised:
            escalations[raised.reference] = EscalationFacts(raised.reference, raised.member, at)
        case DeadlineEscalated(repeats=UUID() as first) if first in escalations:
            escalations[first] = replace(escalations[first], is_late=True)
        case EscalationAcknowledged() as done if done.reference in escalations:
            found = escalations[done.reference]
            escalations[done.reference] = replace(found, acknowledged_at=found.acknowledged_at or at)


def _facts(handoff: Handoff, late: Late) -> HandoffFacts:
    """Return the facts of a handoff. Its reference is used to count, and never shown."""
    return HandoffFacts(
        reference=(handoff.case, handoff.referral),
        chain=(handoff.case, handoff.root),
        source=handoff.source,
        target=handoff.target,
        service=handoff.service,
        urgency=handoff.urgency,
        state=handoff.state,
        requested_at=handoff.requested_at,
        delivered_at=handoff.delivered_at,
        opened_at=handoff.opened_at,
        answered_at=handoff.answered_at,
        started_at=handoff.started_at,
        closed_at=handoff.closed_at,
        due_at=handoff.due_at,
        place_held_until=handoff.place_held_until,
        place_agreed_at=handoff.place_agreed_at,
        ending=handoff.ending,
        pauses=handoff.pauses,
        steps=handoff.steps,
        late=late.get((handoff.case, handoff.referral), {}),
    )
