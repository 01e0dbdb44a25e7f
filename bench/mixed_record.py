"""A long record of everything that a jurisdiction records, in stated shares, signed by several processes.

Its entries have times of their own, two seconds apart, so that a deadline can pass on the record.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Final
from uuid import UUID

from bench.stories import T0, Place, Story, key_of, signed
from handoff.config import JurisdictionPlan
from handoff.domain.case import Case, Situation
from handoff.domain.consequences import consequences, deadline_missed
from handoff.domain.deadlines import open_steps
from handoff.domain.evolve import evolve, initial_situation
from handoff.record import codes, formats, signing
from handoff.record.codec import AnyEvent
from handoff.record.delivery import to_ms
from handoff.record.envelope import EXCHANGE, Source, compose
from handoff.record.events import Body
from handoff.record.events import directory as d
from handoff.record.message import Message

STORIES: Final = 50
"""Referrals of a group, concurrent: each has eight entries, from the opening of its case to its completion."""
LATE: Final = 5
"""Referrals of a group that are delivered late: a missed deadline and its escalation for each."""
READS, REFUSALS, CAPACITIES = 50, 20, 20
KEYS_EVERY: Final = 10
"""Groups of which one registers and revokes a key, instead of two capacities."""
GROUP: Final = 8 * STORIES + 2 * LATE + READS + REFUSALS + CAPACITIES
"""Entries of a group."""
SHARES: Final = (
    f"Of {GROUP} entries, {8 * STORIES} are of {STORIES} referrals from request to completion, {LATE} are missed "
    f"deadlines and {LATE} their escalations, {READS} reads, {REFUSALS} refusals, {CAPACITIES} capacities; "
    f"in one of {KEYS_EVERY} such groups, two register and revoke a key instead of two capacities."
)

_APART: Final = timedelta(seconds=2)
_PROCESSES: Final = 2
_AHEAD: Final = 8


@dataclass(frozen=True, slots=True)
class TimedMessage:
    """A message and the time at which the record has it."""

    message: Message
    appended_ms: int


@dataclass(frozen=True)
class MixedRecord:
    """The record of a jurisdiction: its founding, and then group after group."""

    plan: JurisdictionPlan

    @property
    def place(self) -> Place:
        """The jurisdiction."""
        return Place(self.plan)

    def case(self, number: int) -> UUID:
        """Return the id of the ``number``-th case."""
        return Story(self.place, number).id("case")

    def messages(self, size: int) -> Iterator[list[TimedMessage]]:
        """Yield the first ``size`` entries, group by group."""
        founding = [signed(event) for event in self.place.founding()]
        yield [TimedMessage(message, to_ms(T0)) for message in founding]
        left, groups = size - len(founding), count()
        with ProcessPoolExecutor(_PROCESSES) as workers:
            ahead: list[Future[list[TimedMessage]]] = []
            while left > 0:
                while len(ahead) < _AHEAD:
                    ahead.append(workers.submit(group_of, self.plan, next(groups)))
                group = ahead.pop(0).result()
                yield group[:left]
                left -= len(group)
            for unused in ahead:
                unused.cancel()


def group_of(plan: JurisdictionPlan, number: int) -> list[TimedMessage]:
    """Return the ``number``-th group, signed."""
    place, first = Place(plan), T0 + number * GROUP * _APART
    found, cases = list[TimedMessage](), dict[UUID, Situation]()
    events = _events(place, number, cases)
    for place_in_group, event in enumerate(events):
        at = first + (place_in_group + 1) * _APART
        found.append(TimedMessage(signed(event), to_ms(at)))
        case = event.case_id
        if case in cases:
            cases[case] = evolve(cases[case], event, at)
    return found


@lru_cache(1)
def _founded(plan: JurisdictionPlan) -> Situation:
    known = initial_situation(plan.name, plan.generation)
    for event in Place(plan).founding():
        known = evolve(known, event, T0)
    return known


def _events(place: Place, number: int, late: dict[UUID, Situation]) -> Iterator[AnyEvent]:
    """Yield a group's events. The caller folds those about the cases in ``late`` before it takes the next one."""
    stories = [Story(place, number * STORIES + one) for one in range(STORIES)]
    rounds = list(zip(*(tuple(story.events()) for story in stories), strict=True))
    directory = _founded(place.plan).directory
    for story in stories[:LATE]:
        case = story.id("case")
        late[case] = Situation(directory, Case(case))
    for events in rounds[:3]:
        yield from events
    yield from (story.read() for story in stories[:READS])
    others = _Others(place, number)
    yield from (others.refusal(one) for one in range(REFUSALS))
    keys = list(others.key()) if number % KEYS_EVERY == 0 else []
    yield from (others.capacity(one) for one in range(CAPACITIES - len(keys)))
    yield from keys
    at = T0 + (number * GROUP + 3 * STORIES + READS + REFUSALS + CAPACITIES) * _APART
    for story in stories[:LATE]:
        before = late[story.id("case")]
        if before.case is None:
            raise LookupError("the case was not folded")
        holder, step = next(
            (holder, step) for holder, step in open_steps(before.case) if step.step is codes.DeadlineStep.DELIVERED
        )
        missed = deadline_missed(before, holder, step, 0)
        after = evolve(before, missed, at)
        yield missed
        yield from consequences(before, after, missed, at)
    for events in rounds[3:]:
        yield from events


@dataclass(frozen=True)
class _Others:
    """The events of a group that are about no case."""

    place: Place
    group: int

    def refusal(self, number: int) -> AnyEvent:
        """A refused submission of the police."""
        refused = (hashlib.sha256(f"refused {self.group} {number}".encode()).hexdigest(),)
        return self._by(
            EXCHANGE,
            f"refusal {number}",
            d.SubmissionRefused(member="police", code=codes.RefusalCode.SIGNATURE, value_hashes=refused),
        )

    def capacity(self, number: int) -> AnyEvent:
        """The free places of the shelter."""
        as_of = T0 + (self.group * GROUP + number) * _APART
        body = d.CapacityPublished(
            service=codes.CaseService.SHELTER,
            unit=codes.CapacityUnit.PLACE,
            band=codes.CapacityBand.SOME,
            state=codes.CapacityState.OPEN,
            as_of=as_of,
            valid_until=as_of + timedelta(hours=4),
        )
        return self._by("shelter", f"capacity {number}", body)

    def key(self) -> Iterator[AnyEvent]:
        """An encryption key that the shelter registers, and its end."""
        key = key_of(f"shelter {self.group}")
        statement = signing.possession_statement(self.place.name, "shelter", key.public_key)
        registered = d.KeyRegistered(
            member="shelter",
            use=codes.KeyUse.SEALING,
            public_key=key.public_key.hex(),
            possession=key.sign(statement, formats.KEY_POSSESSION).hex(),
        )
        yield self._by("shelter", "key", registered)
        yield self._by("coordination", "key", d.KeyRevoked(key=key.id))

    def _by(self, emitter: str, name: str, body: Body) -> AnyEvent:
        digest = hashlib.sha256(f"{name} of group {self.group}".encode()).digest()
        return compose(
            id=UUID(bytes=digest[:16], version=4),
            source=Source(self.place.name, self.place.plan.generation, emitter),
            subject=body.keying.subject(self.place.name),
            time=_claimed(self.group),
            body=body,
        )


def _claimed(group: int) -> datetime:
    return T0 + group * GROUP * _APART
