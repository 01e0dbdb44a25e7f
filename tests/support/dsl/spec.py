"""Domain tests read given(events).when(event or command).then(entries of the record).

``Record`` is an exchange in memory, pure: it judges every event in order, routes it, and emits the consequences.
``Side`` is an institution that knows only the events routed to it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from handoff.config import PlannedCalendars, PlannedHours
from handoff.domain.case import Basis, Case, Referral, Situation, Step
from handoff.domain.commands import Command
from handoff.domain.consequences import consequences, deadline_missed
from handoff.domain.deadlines import open_steps
from handoff.domain.decide import About, Refusal, decide, snapshot
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalations, Overdue, changed_overdue
from handoff.domain.evolve import evolve, initial_situation
from handoff.domain.founding import Charter, admission_events, calendar_events, founding_event
from handoff.domain.judge import judge, repetition, table_allows
from handoff.domain.routing import recipients
from handoff.operations.setup.planned_calendars import calendars
from handoff.record import signing
from handoff.record.codec import encode
from handoff.record.codes import (
    BasisKind,
    Calendar,
    CaseService,
    DeadlineSource,
    DeadlineStep,
    EntryPoint,
    MemberKind,
    RecipientClass,
    ReleasePurpose,
    ReportingDelay,
    StartKind,
    State,
    Urgency,
)
from handoff.record.delivery import Verdict
from handoff.record.envelope import EXCHANGE, Event, Identity, Source, compose
from handoff.record.events import Body, Keying
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.events.directory import Admission, Deadline
from tests.support.dsl.builders import BASIS, CASE, GENERATION, JURISDICTION, REFERRAL, T0, ids, key_of, nth_id

POLICE, CSW, LAWYER, SHELTER, SHELTER_B = "police", "social_work", "legal_aid", "shelter", "shelter_gjakova"
VTC, COORDINATION, AUDIT = "training_centre", "coordination", "audit"
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
S = CaseService
AnyEvent = Event[Any]

ADMISSIONS = (
    Admission(member=POLICE, services=(S.POLICE_PROTECTION,)),
    Admission(member=CSW, services=(S.CASE_MANAGEMENT, S.REINTEGRATION_PLAN, S.BENEFIT_CONTINUITY, S.FOLLOW_UP)),
    Admission(member=LAWYER, services=(S.LEGAL_AID, S.PROTECTION_ORDER), classes=(RecipientClass.LEGAL_AID,)),
    Admission(member=SHELTER, services=(S.SHELTER, S.PSYCHOSOCIAL), classes=(RecipientClass.LICENSED_SHELTER,)),
    Admission(member=SHELTER_B, services=(S.SHELTER,), classes=(RecipientClass.LICENSED_SHELTER,)),
    Admission(member=VTC, services=(S.VOCATIONAL_TRAINING,)),
    Admission(member=AUDIT, kind=MemberKind.AUDIT),
)
AGENCIES = tuple(admission.member for admission in ADMISSIONS if admission.kind is MemberKind.AGENCY)
MEMBERS = (COORDINATION, *AGENCIES, AUDIT)


def _deadline(step: DeadlineStep, amount: timedelta, **fits: Any) -> Deadline:
    return Deadline(step=step, amount=int(amount.total_seconds()), source=DeadlineSource.ASSUMED, **fits)


DEADLINES = (
    _deadline(DeadlineStep.DELIVERED, 2 * MINUTE, urgencies=(Urgency.EMERGENCY,)),
    _deadline(DeadlineStep.DELIVERED, HOUR),
    _deadline(DeadlineStep.OPENED, 5 * MINUTE, urgencies=(Urgency.EMERGENCY,)),
    _deadline(DeadlineStep.ANSWERED, HOUR, urgencies=(Urgency.EMERGENCY,)),
    _deadline(DeadlineStep.ANSWERED, 3 * DAY),
    _deadline(DeadlineStep.FIRST_CONTACT, DAY),
    _deadline(DeadlineStep.ARRIVAL, 3 * HOUR),
    _deadline(DeadlineStep.REVIEW, 7 * DAY),
    _deadline(DeadlineStep.CANCELLATION_ANSWERED, DAY),
    _deadline(DeadlineStep.ENDING_ANSWERED, DAY),
    _deadline(DeadlineStep.ONWARD_ANSWERED, DAY),
    _deadline(DeadlineStep.NEXT_REFERRAL, HOUR),
    _deadline(DeadlineStep.BENEFIT_DECIDED, 7 * DAY),
    _deadline(DeadlineStep.ORDER_DECIDED, DAY),
    _deadline(DeadlineStep.ACKNOWLEDGED, 4 * HOUR, urgencies=(Urgency.EMERGENCY,)),
    _deadline(DeadlineStep.ACKNOWLEDGED, 4 * HOUR, calendar=Calendar.WORKING),
)
OFFICE_HOURS = PlannedHours(**dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), ("08:00-16:00",)))
CALENDARS = calendars(PlannedCalendars(country="XK", hours=(OFFICE_HOURS,)), T0.year)
CHARTER = Charter(JURISDICTION, GENERATION, COORDINATION, DEADLINES, calendars=CALENDARS)


def source(member: str) -> Source:
    """The member as an emitter."""
    return Source(JURISDICTION, GENERATION, member)


def founding() -> AnyEvent:
    """The event at offset 0."""
    return founding_event(CHARTER, key_of(COORDINATION), key_of(EXCHANGE), T0 - DAY)


def foundation() -> tuple[AnyEvent, ...]:
    """The founding event and the admissions, in order."""
    admitted = admission_events(CHARTER, ((a, key_of(a.member)) for a in ADMISSIONS), T0 - DAY)
    return founding(), *admitted, *calendar_events(CHARTER, T0 - DAY)


def _directory() -> Directory:
    known = initial_situation(JURISDICTION, GENERATION)
    for event in foundation():
        verdict, known = judge(known, event, T0 - DAY)
        assert verdict.is_effective, (event.type, verdict)
    return known.directory


DIRECTORY = _directory()


@dataclass(frozen=True)
class Sent:
    """Event that a member emits, ``after`` some time."""

    emitter: str
    body: Body
    after: timedelta = SECOND


@dataclass(frozen=True)
class Entry:
    """An entry of the record, with all that the exchange made of it."""

    event: AnyEvent
    at: datetime
    verdict: Verdict
    before: Situation
    after: Situation
    recipients: frozenset[str]
    follows: tuple[AnyEvent, ...]


@dataclass
class Record:
    """The record of one jurisdiction, judged as it grows; ``waiting`` is what the exchange has yet to append."""

    directory: Directory = DIRECTORY
    cases: dict[UUID, Case] = field(default_factory=dict)
    escalations: Escalations = field(default_factory=dict)
    overdue: dict[UUID, Overdue | None] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    now: datetime = T0
    waiting: deque[AnyEvent] = field(default_factory=deque)
    hashes: dict[Identity, str] = field(default_factory=dict)

    def copy(self) -> "Record":
        """Return a copy of the record."""
        return replace(
            self,
            cases=dict(self.cases),
            overdue=dict(self.overdue),
            entries=list(self.entries),
            waiting=deque(self.waiting),
            hashes=dict(self.hashes),
        )

    def known(self, subject: str = str(CASE)) -> Situation:
        """Return the state by which the exchange judges an event about ``subject``."""
        if Keying.of(subject) is not Keying.CASE:
            return Situation(self.directory, None, self.escalations)
        return Situation(self.directory, self.cases.get(UUID(subject), Case(UUID(subject))))

    def case(self, case: UUID = CASE) -> Case:
        """The case as the exchange has folded it."""
        return self.cases.get(case, Case(case))

    def referral(self, referral: UUID = REFERRAL) -> Referral:
        """A referral of ``CASE``."""
        return self.case().referrals[referral]

    def envelope(self, sent: Sent, about: UUID = CASE) -> AnyEvent:
        """Return the envelope of an event that the member sends now."""
        subject = sent.body.keying.subject(JURISDICTION, about)
        name = f"{len(self.entries)} {sent.emitter} {sent.body.type} {sent.body.model_dump_json()}"
        return compose(id=uuid5(CASE, name), source=source(sent.emitter), subject=subject, time=T0, body=sent.body)

    def append(self, event: AnyEvent) -> Entry:
        """Put ``event`` on the record now, judge it, fold it and route it."""
        before, own = self.known(event.subject), signing.sha256(encode(event))
        verdict, after = repetition(self.hashes.get(event.identity), own), before
        if verdict is None:
            self.hashes[event.identity] = own
            verdict, after = judge(before, event, self.now)
        follows: tuple[AnyEvent, ...] = ()
        if verdict.is_effective:
            reference: UUID | None = getattr(event.data, "reference", None)
            late = self.overdue.get(reference) if reference is not None else None
            follows = consequences(before, after, event, self.now, late)
            self.overdue |= changed_overdue(event)
        entry = Entry(event, self.now, verdict, before, after, recipients(event, verdict, before, after), follows)
        self.directory = after.directory
        if before.case is None:
            self.escalations = after.escalations
        if after.case is not None:
            self.cases[after.case.id] = after.case
        self.entries.append(entry)
        self.waiting.extend(follows)
        return entry

    def settle(self) -> None:
        """Append the exchange's pending consequences."""
        while self.waiting:
            self.append(self.waiting.popleft())

    def send(self, *sent: Sent, about: UUID = CASE) -> Entry:
        """Append events with their consequences. Return the last event's entry."""
        for one in sent:
            self.now += one.after
            entry = self.append(self.envelope(one, about))
            self.settle()
        return entry

    def step(self, name: DeadlineStep, case: UUID = CASE) -> tuple[Referral | Basis, Step]:
        """The awaited step of that name."""
        return next((holder, step) for holder, step in open_steps(self.case(case)) if step.step is name)

    def steps(self) -> dict[DeadlineStep, timedelta]:
        """The awaited steps of ``CASE``, with how long each may take."""
        return {step.step: step.due_at - step.since for _, step in open_steps(self.case())}

    def miss(self, name: DeadlineStep, late: timedelta = 2 * SECOND, attempt: int = 0) -> Entry:
        """Let the exchange's timer for a step go off, ``late`` after it is due."""
        holder, step = self.step(name)
        self.now = max(self.now, step.due_at + late)
        entry = self.append(deadline_missed(self.known(), holder, step, attempt))
        self.settle()
        return entry


@dataclass
class Side:
    """An institution's node: it folds what is routed to it with the verdicts it is given, once each."""

    member: str
    known: Situation = field(default_factory=lambda: initial_situation(JURISDICTION, GENERATION, CASE))
    folded: int = 0
    received: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The events of the jurisdiction before the case began were routed to all members.
        self.known = Situation(DIRECTORY, self.known.case)

    def receive(self, sequence: int, entry: Entry) -> None:
        """Fold the ``sequence``-th entry of the inbox, unless it is a redelivery."""
        if sequence <= self.folded:
            return
        assert sequence == self.folded + 1, "an inbox is dense"
        self.folded = sequence
        self.received.append(entry)
        if entry.verdict.is_effective:
            assert table_allows(self.known, entry.event), f"{self.member} parks {entry.event.type}"
            self.known = evolve(self.known, entry.event, entry.at)

    @property
    def referrals(self) -> Mapping[UUID, Referral]:
        """The referrals that it knows of."""
        return self.known.case.referrals if self.known.case is not None else {}


def side(member: str, record: Record, redelivered: Iterable[int] = ()) -> Side:
    """Fold the inbox of ``member``; the entries at ``redelivered`` are delivered again later."""
    one, again = Side(member), frozenset(redelivered)
    inbox = [entry for entry in record.entries if member in entry.recipients]
    for index, entry in enumerate(inbox):
        one.receive(index + 1, entry)
        for earlier in range(max(0, index - 2), index + 1):
            if index in again:
                one.receive(earlier + 1, inbox[earlier])
    return one


# given … when … then


@dataclass(frozen=True)
class Then:
    """Entries of the record after the given ones."""

    record: Record
    new: tuple[Entry, ...]
    refusal: Refusal | None = None

    def then(self, *bodies: type[Body], leaving: State | None = None, referral: UUID = REFERRAL) -> "Then":
        """Exactly these events became effective, in this order; the referral is left in that state."""
        assert self.refusal is None, self.refusal
        assert [(type(e.event.data), e.verdict.reason) for e in self.new] == [(body, None) for body in bodies]
        if leaving is not None:
            assert self.record.referral(referral).state is leaving
        return self

    def then_ineffective(self, reason: str) -> "Then":
        """The event is on the record, changed nothing, and has this reason."""
        (entry,) = self.new
        assert (entry.verdict.kind, entry.verdict.reason) == ("ineffective", reason)
        assert entry.after is entry.before
        return self

    def then_refused(self, code: str, state: State | None = None) -> "Then":
        """The node did not take the command."""
        assert self.refusal == Refusal(code, state)
        return self


@dataclass(frozen=True)
class Given:
    """Given record."""

    record: Record

    def when(self, emitter: str, what: Body | Command, about: UUID = REFERRAL, after: timedelta = SECOND) -> Then:
        """Emit an event (even if its node would refuse it), or decide a command by the node's state."""
        start = len(self.record.entries)
        if isinstance(what, Command):
            self.record.now += after
            decided = decided_by(self.record, emitter, what, about)
            if isinstance(decided, Refusal):
                return Then(self.record, (), decided)
            for event in decided:
                self.record.append(event)
            self.record.settle()
        else:
            self.record.send(Sent(emitter, what, after))
        return Then(self.record, tuple(self.record.entries[start:]))


def decided_by(record: Record, member: str, command: Command, about: UUID) -> tuple[AnyEvent, ...] | Refusal:
    """Decision of the member's node by its own state; ``about`` is the referral, basis or escalation."""
    keying = command.makes.keying
    path = About(case=CASE if keying is Keying.CASE else None, referral=about, basis=about, escalation=about)
    new_ids = ids(1000 + 10 * len(record.entries))
    known = side(member, record).known if keying is Keying.CASE else record.known(JURISDICTION)
    return decide(known, command, path, me=source(member), now=record.now, new_id=lambda: next(new_ids))


def given(*sent: Sent | Iterable[Sent]) -> Given:
    """Return a record with these events, each of them effective, and their consequences."""
    record = Record()
    for one in flat(sent):
        entry = record.send(one)
        assert entry.verdict.is_effective, (one, entry.verdict)
    return Given(record)


def flat(sent: Iterable[Sent | Iterable[Sent]]) -> tuple[Sent, ...]:
    """Histories of histories as one."""
    return tuple(one for item in sent for one in ((item,) if isinstance(item, Sent) else item))


# Histories


def opened(by: str = POLICE) -> Sent:
    return Sent(by, c.CaseOpened(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.UNKNOWN))


def release(
    purpose: ReleasePurpose = ReleasePurpose.ARRANGE_SHELTER,
    *,
    basis: UUID = BASIS,
    to: str | RecipientClass = RecipientClass.LICENSED_SHELTER,
    kind: BasisKind = BasisKind.ORAL_WITNESSED,
    lasting: timedelta = 30 * DAY,
    **terms: Any,
) -> c.BasisRecorded:
    """A release to a class (the licensed shelters) or to one recipient."""
    recipient = {"recipient_class": to} if isinstance(to, RecipientClass) else {"recipient": to}
    return c.BasisRecorded(basis=basis, kind=kind, purpose=purpose, expires_at=T0 + lasting, **recipient, **terms)


def request(
    basis: c.BasisRecorded | None = None,
    *,
    target: str = SHELTER,
    service: CaseService = S.SHELTER,
    referral: UUID = REFERRAL,
    urgency: Urgency = Urgency.EMERGENCY,
    due_at: datetime | None = None,
) -> r.ReferralRequested:
    """A request that rests on ``basis``."""
    return r.ReferralRequested(
        referral=referral,
        target=target,
        service=service,
        urgency=urgency,
        basis=snapshot_of(basis or release()),
        due_at=due_at,
    )


def snapshot_of(basis: c.BasisRecorded) -> r.BasisSnapshot:
    """The basis as a request carries it."""
    fields = {name: getattr(basis, name) for name in r.BasisSnapshot.model_fields}
    return r.BasisSnapshot(**fields)


def released(basis: c.BasisRecorded | None = None, by: str = POLICE) -> Sent:
    return Sent(by, basis or release())


def requested() -> tuple[Sent, ...]:
    return (opened(), released(), Sent(POLICE, request()))


def accepted() -> tuple[Sent, ...]:
    return (*requested(), Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL)))


def started(kind: StartKind = StartKind.ARRIVAL) -> tuple[Sent, ...]:
    return (*accepted(), Sent(SHELTER, r.ReferralStarted(referral=REFERRAL, kind=kind)))


def another(
    service: CaseService,
    target: str,
    purpose: ReleasePurpose,
    *,
    by: str = POLICE,
    number: int = 1,
    urgency: Urgency = Urgency.NORMAL,
    due_at: datetime | None = None,
    kind: BasisKind = BasisKind.ORAL_WITNESSED,
) -> tuple[Sent, Sent]:
    """One more release and the request that rests on it: basis ``nth_id(2n)``, referral ``nth_id(2n + 1)``."""
    basis = release(purpose, basis=nth_id(2 * number), to=target, kind=kind)
    asked = request(
        basis, target=target, service=service, referral=nth_id(2 * number + 1), urgency=urgency, due_at=due_at
    )
    return Sent(by, basis), Sent(by, asked)


__all__ = [
    "BASIS",
    "CASE",
    "EXCHANGE",
    "JURISDICTION",
    "REFERRAL",
    "T0",
    "key_of",
    "nth_id",
    "snapshot",
]
