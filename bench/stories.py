"""A synthetic record: signed referrals from request to completion; every byte is derived from the story's number."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from uuid import UUID

from handoff.config import JurisdictionPlan, PlannedMember
from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.record import codec, codes, message
from handoff.record.codec import AnyEvent
from handoff.record.envelope import COORDINATION, EXCHANGE, Source, compose
from handoff.record.events import Body, case, referral
from handoff.record.events.directory import Admission
from handoff.record.message import Message
from handoff.record.signing import SigningKey

T0 = datetime(2026, 1, 5, 8, tzinfo=UTC)
_FAR = datetime(2190, 1, 1, tzinfo=UTC)


def key_of(member: str) -> SigningKey:
    """The member's signing key, the same in every run."""
    return SigningKey(hashlib.sha256(f"key of {member}".encode()).digest())


@dataclass(frozen=True)
class Place:
    """The jurisdiction of a synthetic record."""

    plan: JurisdictionPlan

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def charter(self) -> Charter:
        deadlines = tuple(deadline.terms() for deadline in self.plan.deadlines)
        return Charter(self.name, self.plan.generation, COORDINATION, deadlines)

    @property
    def genesis(self) -> bytes:
        """The founding event's bytes."""
        return codec.encode(founding_event(self.charter, key_of(COORDINATION), key_of(EXCHANGE), T0))

    def founding(self) -> Iterator[AnyEvent]:
        """The founding event and all admissions."""
        yield codec.decode(self.genesis)
        yield from admission_events(self.charter, map(_admission, self.plan.members), T0)

    def called_off(self, source: str, first: int) -> Iterator[AnyEvent]:
        """An unlimited sequence of cases with a request and its cancellation, all events by ``source``."""
        for number in count(first):
            yield from Story(self, number, source).called_off()

    def record(self, size: int) -> Iterator[Message]:
        """The first ``size`` entries: the founding, then stories that overlap as on a real record."""
        founding = tuple(self.founding())
        yield from map(signed, founding)
        yield from map(signed, islice(self._overlapping(), size - len(founding)))

    def _overlapping(self, concurrent: int = 50) -> Iterator[AnyEvent]:
        """``concurrent`` concurrent stories, one event of each in turn."""
        number = 0
        while True:
            stories = [tuple(Story(self, n).events()) for n in range(number, number + concurrent)]
            for events in zip(*stories, strict=True):
                yield from events
            number += concurrent


def signed(event: AnyEvent) -> Message:
    """``event`` as its emitter publishes it."""
    return message.sign(event.subject, codec.encode(event), key_of(event.emitter))


def _admission(member: PlannedMember) -> tuple[Admission, SigningKey]:
    admission = Admission(member=member.id, kind=member.kind, services=member.offers, classes=member.classes)
    return admission, key_of(member.id)


@dataclass(frozen=True)
class Story:
    """The ``number``-th case: a release, a request with a sealed sheet, and every event up to its completion."""

    place: Place
    number: int
    source: str = "police"

    def called_off(self) -> Iterator[AnyEvent]:
        """Four events, all by the source."""
        yield from self.begun()
        yield self._by(self.source, 3, referral.ReferralCancelled(referral=self.id("referral"), seen=1))

    def begun(self) -> Iterator[AnyEvent]:
        """The opening, the release and the request."""
        yield self._by(self.source, 0, self._opening())
        yield self._by(self.source, 1, self._basis())
        yield self._by(self.source, 2, self._request())

    def events(self) -> Iterator[AnyEvent]:
        """Eight events, in the order of publication."""
        yield from self.begun()
        about = {"referral": self.id("referral")}
        yield self._by("shelter", 3, referral.ReferralDelivered(**about, seen=1))
        yield self._by("shelter", 4, referral.ReferralOpened(**about, seen=2))
        yield self._by("shelter", 5, referral.ReferralAccepted(**about, seen=3, seal_key=self._digest("seal key")))
        yield self._by("shelter", 6, referral.ReferralStarted(**about, seen=4, kind=codes.StartKind.ARRIVAL))
        outcome = codes.ServiceOutcome.DISCHARGE_OWN_WISH
        yield self._by("shelter", 7, referral.ReferralCompleted(**about, seen=5, outcome=outcome))

    def read(self) -> AnyEvent:
        """A read of the case by the source's staff."""
        read = case.CaseRead(reader=self.id("reader"), purpose=codes.ReadPurpose.ACT_ON_REFERRAL)
        return self._by(self.source, 8, read)

    def id(self, name: str) -> UUID:
        """One of the story's ids."""
        return UUID(bytes=hashlib.sha256(f"{name} {self.number}".encode()).digest()[:16], version=4)

    def _by(self, emitter: str, step: int, body: Body) -> AnyEvent:
        return compose(
            id=self.id(f"event {step}"),
            source=Source(self.place.name, self.place.plan.generation, emitter),
            subject=self.id("case"),
            time=T0 + timedelta(minutes=self.number % 500_000, seconds=step),
            body=body,
        )

    def _opening(self) -> Body:
        delay = codes.ReportingDelay.SAME_DAY
        return case.CaseOpened(entry_point=codes.EntryPoint.POLICE_CALL, reporting_delay=delay)

    def _basis(self) -> Body:
        return case.BasisRecorded(basis=self.id("basis"), **_RELEASE)

    def _request(self) -> Body:
        return referral.ReferralRequested(
            referral=self.id("referral"),
            target="shelter",
            service=codes.CaseService.SHELTER,
            urgency=codes.Urgency.EMERGENCY,
            safety_flags=(codes.SafetyFlag.DO_NOT_CONTACT, codes.SafetyFlag.CONTACT_VIA_SOURCE_ONLY),
            sheet=referral.Commitment(commitment=self._digest("commitment"), sealed=self._digest("sheet")),
            basis=referral.BasisSnapshot(basis=self.id("basis"), **_RELEASE),
        )

    def _digest(self, name: str) -> str:
        return hashlib.sha256(f"{name} {self.number}".encode()).hexdigest()


_RELEASE = {
    "kind": codes.BasisKind.ORAL_WITNESSED,
    "purpose": codes.ReleasePurpose.ARRANGE_SHELTER,
    "recipient_class": codes.RecipientClass.LICENSED_SHELTER,
    "expires_at": _FAR,
}
