"""What the record says, with this node's own unanswered decisions on top. Pure."""

from collections.abc import Iterable
from uuid import UUID

from handoff.domain.case import Case, Situation
from handoff.domain.directory import Directory
from handoff.domain.judge import judge
from handoff.node.rows import PendingRow
from handoff.record import codec


def about(directory: Directory, subject: str, case: Case | None) -> Situation:
    """What is known of a subject: of the jurisdiction, or of a case, known or not."""
    if subject == directory.jurisdiction:
        return Situation(directory)
    return Situation(directory, case if case is not None else Case(UUID(subject)))


def with_pending(known: Situation, pending: Iterable[PendingRow]) -> Situation:
    """What is known once the record agrees with ``pending``; what it would not agree with changes nothing."""
    for row in pending:
        _, known = judge(known, codec.decode(row.value), row.created_at)
    return known
