"""A case's history: its entries and the directory's, in the record's order, each with what was known around it.

The fold is the domain's own. The verdicts are the timeline's, which judged every entry for itself.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from handoff.domain import conditions
from handoff.domain.case import Case, Referral, Situation
from handoff.domain.evolve import evolve, initial_situation
from handoff.domain.routing import recipients
from handoff.record import codec
from handoff.record.delivery import Verdict, VerdictKind, from_ms
from handoff.record.envelope import Event
from handoff.record.errors import NotAnEvent
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events.base import Body
from handoff.record.events.case import BasisRecorded
from handoff.views.handoffs import Handoff, changed_handoffs, merged
from handoff.views.replay.checkpoint_status import Sealing

FRAMING = tuple(
    body.type for body in (d.JurisdictionFounded, d.AgencyAdmitted, d.AgencySuspended, d.DeadlinesPublished)
)
"""What the jurisdiction says of itself that a case is read by, however long before it."""

PASSING = tuple(body.type for body in (dl.DeadlineEscalated, dl.EscalationAcknowledged, d.SubmissionRefused))
"""What the jurisdiction says of single matters: a case needs only what came after its beginning."""


@dataclass(frozen=True, slots=True)
class ReplayEntry:
    """An entry of the record. ``record_time`` never runs backwards; ``appended_at`` is the broker's own clock.

    ``event`` is None where it holds none that can be read. ``is_of_case`` tells the case's entries from the
    jurisdiction's.
    """

    position: int
    record_time: datetime
    appended_at: datetime
    verdict: Verdict
    event: Event[Any] | None
    is_of_case: bool = True


def replay_entry(
    *,
    position: int,
    record_ms: int,
    appended_ms: int,
    value: bytes | None,
    verdict: str,
    reason: str | None,
    is_of_case: bool,
) -> ReplayEntry:
    """The entry that the timeline stored; never raises on any bytes."""
    event: Event[Any] | None
    try:
        event = codec.decode(value or b"")
    except NotAnEvent:
        event = None
    return ReplayEntry(
        position, from_ms(record_ms), from_ms(appended_ms), Verdict(VerdictKind(verdict), reason), event, is_of_case
    )


@dataclass(frozen=True, slots=True)
class Told:
    """An entry with what was known before and after it, and into whose inboxes it went."""

    entry: ReplayEntry
    before: Situation
    after: Situation
    recipients: frozenset[str]

    @property
    def position(self) -> int:
        """Its offset on the record."""
        return self.entry.position

    @property
    def at(self) -> datetime:
        """Its record time."""
        return self.entry.record_time

    @property
    def verdict(self) -> Verdict:
        """What the rules made of it."""
        return self.entry.verdict

    @property
    def body(self) -> Any:
        """What it says; None where it cannot be read."""
        return None if self.entry.event is None else self.entry.event.data

    @property
    def emitter(self) -> str | None:
        """Who said it."""
        return None if self.entry.event is None else self.entry.event.emitter

    @property
    def referral_id(self) -> UUID | None:
        """The referral that it names."""
        return getattr(self.body, "referral", None)

    @property
    def referral(self) -> Referral | None:
        """The referral that it names, as it stood afterwards."""
        return None if self.entry.event is None else conditions.referral_of(self.after, self.entry.event)

    @property
    def referral_before(self) -> Referral | None:
        """The referral that it names, as it stood before."""
        return None if self.entry.event is None else conditions.referral_of(self.before, self.entry.event)

    @property
    def event_type(self) -> str | None:
        """The type of what it says."""
        return None if self.entry.event is None else self.entry.event.type

    @property
    def counts(self) -> bool:
        """Whether it is its emitter's own word, said for the first time, and not merely noise on the record."""
        return self.verdict.kind in {VerdictKind.EFFECTIVE, VerdictKind.INEFFECTIVE}

    def says(self, *types: type[Body]) -> bool:
        """Whether it says one of these, effectively."""
        return self.verdict.is_effective and isinstance(self.body, types)


@dataclass(frozen=True)
class History:
    """Everything that the record holds about a case, folded; ``sealing`` is what a checkpoint proves of it."""

    case_id: UUID
    told: tuple[Told, ...] = ()
    sealing: Sealing | None = None

    @cached_property
    def own(self) -> tuple[Told, ...]:
        """What was said in the case, without what the jurisdiction said of itself."""
        return tuple(told for told in self.told if told.entry.is_of_case)

    @property
    def known(self) -> Situation:
        """What is known at its end."""
        return self.told[-1].after if self.told else _nothing(self.case_id)

    @property
    def case(self) -> Case:
        """The case at its end."""
        return self.known.case or Case(self.case_id)

    def until(self, moment: datetime) -> "History":
        """What had been appended by ``moment``; itself where that is everything, with all that is worked out of it."""
        count = bisect_right(self.told, moment, key=lambda told: told.at)
        return self if count == len(self.told) else replace(self, told=self.told[:count])

    def saying(self, *types: type[Body]) -> Iterator[Told]:
        """The effective entries that say one of these."""
        return (told for told in self.told if told.says(*types))

    def recorded_basis(self, basis: UUID | None) -> Told | None:
        """The entry by which a basis came to stand in the case."""
        return next((told for told in self.saying(BasisRecorded) if told.body.basis == basis), None)

    @cached_property
    def about(self) -> Mapping[UUID, tuple[Told, ...]]:
        """Referral → what was said about it, whatever came of it."""
        found: dict[UUID, list[Told]] = {}
        for told in self.own:
            if told.referral_id is not None:
                found.setdefault(told.referral_id, []).append(told)
        return {referral: tuple(entries) for referral, entries in found.items()}

    def positions(self, referral: UUID) -> tuple[int, ...]:
        """The positions of what was effectively said about a referral."""
        return tuple(told.position for told in self.about.get(referral, ()) if told.verdict.is_effective)

    def known_at(self, moment: datetime) -> Situation:
        """What was known at ``moment``."""
        return self.until(moment).known

    @cached_property
    def handoffs(self) -> tuple[Handoff, ...]:
        """The case's referrals as waits, in the order of their requests."""
        found: dict[UUID, Handoff] = {}
        for told in self.told:
            if told.after.case is None or told.after.case is told.before.case:
                continue
            for changed in changed_handoffs(told.before.case, told.after.case):
                found[changed.referral] = merged(found.get(changed.referral), changed)
        return tuple(found.values())

    def parties(self) -> tuple[str, ...]:
        """The institutions that the case has touched so far, by name."""
        members = self.known.directory.members
        heard = {member for told in self.own for member in told.recipients if member in members}
        return tuple(sorted(heard))


def history(case_id: UUID, entries: Iterable[ReplayEntry], sealing: Sealing | None = None) -> History:
    """The history that ``entries``, in the record's order, make."""
    known, told = _nothing(case_id), []
    for entry in entries:
        told.append(_told(known, entry))
        known = told[-1].after
    return History(case_id, tuple(told), sealing)


def _told(known: Situation, entry: ReplayEntry) -> Told:
    event = entry.event
    if event is None:
        return Told(entry, known, known, frozenset())
    after = evolve(known, event, entry.record_time) if entry.verdict.is_effective else known
    return Told(entry, known, after, recipients(event, entry.verdict, known, after))


def _nothing(case_id: UUID) -> Situation:
    # Jurisdiction and generation only matter for authenticating, which the timeline has done.
    return initial_situation("", 0, case_id)
