"""Folded state of the record with the node's own pending events applied. Pure."""

from collections.abc import Iterable
from uuid import UUID

from handoff.domain.case import Case, Situation
from handoff.domain.directory import Directory
from handoff.domain.escalations import NO_ESCALATIONS, Escalations
from handoff.domain.judge import judge
from handoff.node.record_clock import RecordClock
from handoff.node.rows import PendingEvent
from handoff.record import codec
from handoff.record.events.base import Keying


def situation_of(
    directory: Directory, subject: str, case: Case | None, escalations: Escalations = NO_ESCALATIONS
) -> Situation:
    """Return the situation of a subject: the jurisdiction, or a case, existing or not."""
    if Keying.of(subject) is not Keying.CASE:
        return Situation(directory, None, escalations)
    return Situation(directory, case if case is not None else Case(UUID(subject)))


def with_pending(known: Situation, pending: Iterable[PendingEvent], clock: RecordClock) -> Situation:
    """Return ``known`` with the ``pending`` events applied; those that would be ineffective change nothing."""
    for row in pending:
        _, known = judge(known, codec.decode(row.value), clock.judging_time(row.created_at))
    return known
