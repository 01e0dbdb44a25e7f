"""History of a case: its entries and the directory's, in the record's order, each with the state before and after.

The fold is the domain's. The verdicts are computed from the raw records by the reader of the timeline.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from heapq import merge
from typing import Any
from uuid import UUID

from handoff.domain import conditions
from handoff.domain.case import Case, Referral, Situation
from handoff.domain.evolve import evolve, initial_situation
from handoff.domain.record_fold import JudgedRecord
from handoff.domain.routing import recipients
from handoff.judging.timeline_check import TimelineDifference
from handoff.record.delivery import Verdict, VerdictKind, from_ms
from handoff.record.envelope import Event
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events.base import Body
from handoff.record.events.case import BasisRecorded
from handoff.views.handoffs import Handoff, changed_handoffs
from handoff.views.replay.checkpoint_status import CheckpointStatus

FRAMING = tuple(
    body.type
    for body in (
        d.JurisdictionFounded,
        d.AgencyAdmitted,
        d.AgencySuspended,
        d.DeadlinesPublished,
        d.RulesActivated,
        d.CalendarsPublished,
    )
)
"""Directory events that apply to a case however long before it they were recorded."""

PASSING = tuple(body.type for body in (dl.DeadlineEscalated, dl.EscalationAcknowledged, dl.EscalationEnded))
"""Events about the jurisdiction's status that belong to the case whose missed deadline they are about."""


@dataclass(frozen=True, slots=True)
class DecodedEntry:
    """An entry of the record. ``record_time`` is monotonic; ``appended_at`` is the broker's clock.

    ``event`` is None if the value cannot be decoded. ``is_of_case`` distinguishes the case's entries from the
    directory's.
    """

    position: int
    record_time: datetime
    appended_at: datetime
    verdict: Verdict
    event: Event[Any] | None
    is_of_case: bool = True


def decode_entry(judged: JudgedRecord, appended_ms: int, *, is_of_case: bool) -> DecodedEntry:
    """Return the entry of a judged record that was appended at ``appended_ms``."""
    record = judged.record
    event = record.event if isinstance(record.event, Event) else None
    return DecodedEntry(record.offset, judged.record_time, from_ms(appended_ms), judged.verdict, event, is_of_case)


@dataclass(frozen=True, slots=True)
class ReplayedEntry:
    """An entry with the state before and after it, and the members it was delivered to."""

    decoded: DecodedEntry
    before: Situation
    after: Situation
    recipients: frozenset[str]

    @property
    def position(self) -> int:
        """Offset on the record."""
        return self.decoded.position

    @property
    def at(self) -> datetime:
        """Record time."""
        return self.decoded.record_time

    @property
    def verdict(self) -> Verdict:
        """Verdict of the rules."""
        return self.decoded.verdict

    @property
    def body(self) -> Any:
        """Body of the event; None if it cannot be decoded."""
        return None if self.decoded.event is None else self.decoded.event.data

    @property
    def emitter(self) -> str | None:
        """Member that emitted the event; None if it cannot be decoded."""
        return None if self.decoded.event is None else self.decoded.event.emitter

    @property
    def referral_id(self) -> UUID | None:
        """Id of the referral that the event names, if any."""
        return getattr(self.body, "referral", None)

    @property
    def referral(self) -> Referral | None:
        """State of that referral after the event."""
        return None if self.decoded.event is None else conditions.referral_of(self.after, self.decoded.event)

    @property
    def referral_before(self) -> Referral | None:
        """State of that referral before the event."""
        return None if self.decoded.event is None else conditions.referral_of(self.before, self.decoded.event)

    @property
    def event_type(self) -> str | None:
        """Type of the event; None if it cannot be decoded."""
        return None if self.decoded.event is None else self.decoded.event.type

    @property
    def counts(self) -> bool:
        """Return whether the entry is authentic and the first of its identity: effective or ineffective."""
        return self.verdict.kind in {VerdictKind.EFFECTIVE, VerdictKind.INEFFECTIVE}

    def is_a(self, *types: type[Body]) -> bool:
        """Return whether the entry is effective and of one of these types."""
        return self.verdict.is_effective and isinstance(self.body, types)


@dataclass(frozen=True)
class History:
    """All entries about a case, folded; ``checkpoint`` is the newest checkpoint, which proves them.

    ``differences`` are values of the database that differ from the raw records. No entry rests on them.
    """

    case_id: UUID
    entries: tuple[ReplayedEntry, ...] = ()
    checkpoint: CheckpointStatus | None = None
    differences: tuple[TimelineDifference, ...] = ()

    @cached_property
    def own(self) -> tuple[ReplayedEntry, ...]:
        """Entries of the case itself, without the directory's."""
        return tuple(entry for entry in self.entries if entry.decoded.is_of_case)

    @cached_property
    def differing(self) -> Mapping[int, str]:
        """Position → names of the columns that differ from the raw records."""
        found: dict[int, list[str]] = {}
        for one in self.differences:
            found.setdefault(one.position, []).append(one.column)
        return {position: " ".join(columns) for position, columns in found.items()}

    def is_anchored(self, position: int) -> bool:
        """Return whether the entry is included in the tree under the newest checkpoint."""
        return self.checkpoint is not None and self.checkpoint.includes(position)

    @property
    def known(self) -> Situation:
        """State after the last entry."""
        return self.entries[-1].after if self.entries else _initial(self.case_id)

    @property
    def case(self) -> Case:
        """The case after the last entry."""
        return self.known.case or Case(self.case_id)

    def until(self, moment: datetime) -> "History":
        """Return the history up to ``moment``; itself, with its cached properties, if nothing comes later."""
        count = self._count(moment)
        return self if count == len(self.entries) else replace(self, entries=self.entries[:count])

    def _count(self, moment: datetime) -> int:
        return bisect_right(self.entries, moment, key=lambda entry: entry.at)

    @cached_property
    def _effective(self) -> Mapping[type[Body], tuple[ReplayedEntry, ...]]:
        found: dict[type[Body], list[ReplayedEntry]] = {}
        for entry in self.entries:
            if entry.is_a(Body):
                found.setdefault(type(entry.body), []).append(entry)
        return {body: tuple(entries) for body, entries in found.items()}

    def saying(self, *types: type[Body]) -> Iterator[ReplayedEntry]:
        """Yield the effective entries of these types."""
        found = [entries for body, entries in self._effective.items() if issubclass(body, types)]
        return merge(*found, key=lambda entry: entry.position)

    @cached_property
    def _bases(self) -> Mapping[UUID, ReplayedEntry]:
        return {entry.body.basis: entry for entry in reversed(list(self.saying(BasisRecorded)))}

    def recorded_basis(self, basis: UUID | None) -> ReplayedEntry | None:
        """Return the entry that recorded a basis."""
        return self._bases.get(basis) if basis is not None else None

    @cached_property
    def about(self) -> Mapping[UUID, tuple[ReplayedEntry, ...]]:
        """Referral → its entries, effective or not."""
        found: dict[UUID, list[ReplayedEntry]] = {}
        for entry in self.own:
            if entry.referral_id is not None:
                found.setdefault(entry.referral_id, []).append(entry)
        return {referral: tuple(entries) for referral, entries in found.items()}

    def positions(self, referral: UUID) -> tuple[int, ...]:
        """Return the positions of the effective entries about a referral."""
        return tuple(entry.position for entry in self.about.get(referral, ()) if entry.verdict.is_effective)

    def known_at(self, moment: datetime) -> Situation:
        """Return the state at ``moment``."""
        count = self._count(moment)
        return self.entries[count - 1].after if count else _initial(self.case_id)

    @cached_property
    def handoffs(self) -> tuple[Handoff, ...]:
        """The case's handoffs, in the order of their requests."""
        found: dict[UUID, Handoff] = {}
        for entry in self.entries:
            if entry.after.case is None or entry.after.case is entry.before.case:
                continue
            for changed in changed_handoffs(entry.before.case, entry.after.case):
                found[changed.referral] = changed
        return tuple(found.values())

    def parties(self) -> tuple[str, ...]:
        """Return the members that received an entry of the case, sorted."""
        members = self.known.directory.members
        return tuple(sorted({member for entry in self.own for member in entry.recipients if member in members}))


class HistoryFold:
    """Fold of the entries of a case and its directory, one at a time in the record's order."""

    def __init__(self, case_id: UUID) -> None:
        self._case_id = case_id
        self._situation = _initial(case_id)
        self._entries: list[ReplayedEntry] = []

    @property
    def case(self) -> Case | None:
        """The case after the last entry."""
        return self._situation.case

    def position_of(self, referral: UUID) -> int:
        """Return the position of the first entry about a referral; of the last entry if there is none."""
        first = next((entry.position for entry in self._entries if entry.referral_id == referral), None)
        return first if first is not None else self._entries[-1].position if self._entries else 0

    def add(self, decoded: DecodedEntry) -> None:
        """Fold the next entry."""
        self._entries.append(_replay(self._situation, decoded))
        self._situation = self._entries[-1].after

    def history(
        self, checkpoint: CheckpointStatus | None = None, differences: tuple[TimelineDifference, ...] = ()
    ) -> History:
        """Return the history of everything folded so far."""
        return History(self._case_id, tuple(self._entries), checkpoint, differences)


def history(case_id: UUID, entries: Iterable[DecodedEntry], checkpoint: CheckpointStatus | None = None) -> History:
    """Fold ``entries``, given in the record's order."""
    fold = HistoryFold(case_id)
    for decoded in entries:
        fold.add(decoded)
    return fold.history(checkpoint)


def _replay(situation: Situation, decoded: DecodedEntry) -> ReplayedEntry:
    event = decoded.event
    if event is None:
        return ReplayedEntry(decoded, situation, situation, frozenset())
    after = evolve(situation, event, decoded.record_time) if decoded.verdict.is_effective else situation
    return ReplayedEntry(decoded, situation, after, recipients(event, decoded.verdict, situation, after))


def _initial(case_id: UUID) -> Situation:
    # Jurisdiction and generation matter for authentication only, which the projection has done.
    return initial_situation("", 0, case_id)
