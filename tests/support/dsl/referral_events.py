"""A referral as events in a town: police open a case, record a release and ask a shelter, who answers."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from handoff.record import codes
from handoff.record.codec import AnyEvent
from handoff.record.events import Body, case, referral
from tests.support.dsl.builders import T0, nth_id
from tests.support.parts.small_jurisdiction import Town

_FAR = T0 + timedelta(days=9000)


@dataclass(frozen=True)
class Matter:
    """The ``number``-th case of a town, with one referral in it."""

    place: Town
    number: int

    @property
    def case(self) -> UUID:
        return nth_id(3 * self.number)

    @property
    def referral(self) -> UUID:
        return nth_id(3 * self.number + 1)

    @property
    def basis(self) -> UUID:
        return nth_id(3 * self.number + 2)

    def by(self, emitter: str, body: Body) -> AnyEvent:
        """``body`` about this case."""
        return self.place.event(body, emitter=emitter, subject=self.case)

    def opened(self) -> AnyEvent:
        opening = case.CaseOpened(
            entry_point=codes.EntryPoint.POLICE_CALL, reporting_delay=codes.ReportingDelay.SAME_DAY
        )
        return self.by("police", opening)

    def released(self) -> AnyEvent:
        release = case.BasisRecorded(
            basis=self.basis,
            kind=codes.BasisKind.ORAL_WITNESSED,
            purpose=codes.ReleasePurpose.ARRANGE_SHELTER,
            recipient_class=codes.RecipientClass.LICENSED_SHELTER,
            expires_at=_FAR,
        )
        return self.by("police", release)

    def asked(self, urgency: codes.Urgency = codes.Urgency.EMERGENCY, target: str = "shelter") -> AnyEvent:
        request = referral.ReferralRequested(
            referral=self.referral,
            target=target,
            service=codes.CaseService.SHELTER,
            urgency=urgency,
            basis=referral.BasisSnapshot(
                basis=self.basis,
                kind=codes.BasisKind.ORAL_WITNESSED,
                purpose=codes.ReleasePurpose.ARRANGE_SHELTER,
                recipient_class=codes.RecipientClass.LICENSED_SHELTER,
                expires_at=_FAR,
            ),
        )
        return self.by("police", request)

    def begun(self, urgency: codes.Urgency = codes.Urgency.EMERGENCY, target: str = "shelter") -> tuple[AnyEvent, ...]:
        """The opening, the release and the request."""
        return self.opened(), self.released(), self.asked(urgency, target)

    def delivered(self) -> AnyEvent:
        return self.by("shelter", referral.ReferralDelivered(referral=self.referral, seen=1))

    def accepted(self) -> AnyEvent:
        return self.by("shelter", referral.ReferralAccepted(referral=self.referral, seen=2))

    def withdrawn(self) -> AnyEvent:
        return self.by("police", case.ReleaseWithdrawn(scope=codes.EndScope.ALL))
