"""Commands that are decided together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from handoff.domain.commands import CancelReferral, Command, RequestReferral
from handoff.domain.decide import About
from handoff.node.commands.command_batch import CommandBatch, Decision, SubmittedCommand
from handoff.node.commands.results import PreconditionFailed, Refused, Stored
from handoff.node.rows import KnownState, OutboxRow, PendingEvent, StoredAnswer
from handoff.record.codes import CaseService, Urgency
from handoff.record.envelope import Source
from tests.support.dsl.builders import CASE, OTHER_CASE, T0, nth_id
from tests.support.parts.desks import directory_of
from tests.support.parts.node_parts import OPENING, RELEASE
from tests.support.parts.small_jurisdiction import plan

DIRECTORY = directory_of(plan())
ME = Source(DIRECTORY.jurisdiction, DIRECTORY.generation, "police")


@dataclass
class Office:
    """Stored state, with the commands and decisions so far; clock and ids are derived from their number."""

    rows: list[OutboxRow] = field(default_factory=list)
    answers: list[StoredAnswer] = field(default_factory=list)
    asked: list[SubmittedCommand] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    _ticks: Iterator[int] = field(default_factory=count)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def decide(self, asked: Sequence[SubmittedCommand]) -> None:
        """One transaction."""
        pending = tuple(PendingEvent(row.id, row.subject, row.value, row.created_at) for row in self.rows)
        known = KnownState(DIRECTORY, {}, {}, pending, answers=tuple(self.answers))
        deciding = CommandBatch(known, ME, self._now, lambda: nth_id(next(self._ids)))
        self.decisions += [deciding.decide(one) for one in asked]
        self.rows += deciding.rows
        self.answers += deciding.answers
        self.asked += asked

    def _now(self) -> datetime:
        return T0 + timedelta(seconds=next(self._ticks))

    def latest(self, name: str, case: UUID) -> UUID:
        """The newest basis or referral of a case, or an unknown id."""
        stored = (d for d in reversed(self.decisions) if isinstance(d, Stored) and d.about.case == case)
        return next((found for one in stored if (found := getattr(one.about, name)) is not None), nth_id(9999))


Move = Callable[[Office, UUID], tuple[Command, About]]
MOVES: tuple[Move, ...] = (
    lambda _, case: (OPENING, About(case)),
    lambda _, case: (RELEASE, About(case)),
    lambda office, case: (
        RequestReferral(
            target="shelter",
            service=CaseService.SHELTER,
            urgency=Urgency.EMERGENCY,
            basis=office.latest("basis", case),
        ),
        About(case),
    ),
    lambda office, case: (CancelReferral(), About(case, office.latest("referral", case))),
)
asks = st.tuples(
    st.sampled_from(MOVES),
    st.sampled_from([CASE, OTHER_CASE]),
    st.sampled_from([None, None, "a first key", "a second key"]),
    st.sampled_from([None, None, 1, 2]),
)


def events_of(decisions: Iterable[Decision]) -> list[object]:
    """Decisions by what they tell."""
    return [_answers(decision) for decision in decisions]


def _answers(decision: Decision) -> object:
    if isinstance(decision, Refused):
        return decision.refusal, decision.seen
    if isinstance(decision, PreconditionFailed):
        return decision.state, decision.seen
    return decision if isinstance(decision, Stored) else type(decision)


@given(st.lists(asks, max_size=25), st.integers(2, 25))
def test_commands_decided_together_come_to_what_they_come_to_one_by_one(
    asked: list[tuple[Move, UUID, str | None, int | None]], together: int
) -> None:
    """Any commands give the same answers and the same bytes in the same order, however they are batched."""
    alone, joined = Office(), Office()
    for move, case, key, if_match in asked:
        one = SubmittedCommand(*move(alone, case), None if if_match is None else frozenset({if_match}))
        alone.decide([one.under(key) if key is not None else one])
    for first in range(0, len(asked), together):
        joined.decide(alone.asked[first : first + together])
    assert events_of(joined.decisions) == events_of(alone.decisions)
    assert joined.rows == alone.rows
    assert joined.answers == alone.answers
