"""Events about a referral: those of its source and target, and those of the exchange to both."""

from typing import ClassVar

from handoff.record.codes import (
    AnsweredVia,
    BasisEndReason,
    BasisKind,
    CaseService,
    DestructionReason,
    FailureCode,
    HoldCode,
    RecipientClass,
    RejectionCode,
    ReleasePurpose,
    SafetyFlag,
    ServiceOutcome,
    StartKind,
    Urgency,
    VoidCode,
)
from handoff.record.events.base import (
    Audience,
    Emitter,
    Instant,
    KeyId,
    MemberId,
    PublicKey,
    ReferralBody,
    Sha256,
    Terms,
)
from handoff.record.uuid_text import Id


class BasisSnapshot(Terms):
    """Copy of the basis at the time of the request, for the target."""

    basis: Id
    kind: BasisKind
    purpose: ReleasePurpose
    recipient: MemberId | None = None
    recipient_class: RecipientClass | None = None
    expires_at: Instant


class Commitment(Terms):
    """Commitment to an encrypted sheet or dossier: hashes only."""

    commitment: Sha256
    sealed: Sha256


class Request(Terms):
    """Requested service, target and urgency. ``due_at`` is the agreed time of a follow-up."""

    target: MemberId
    service: CaseService
    urgency: Urgency
    due_at: Instant | None = None
    safety_flags: tuple[SafetyFlag, ...] = ()
    sheet: Commitment | None = None


class Acceptance(Terms):
    """Channel of an acceptance, the end of a place hold, and the one-time key for the dossier."""

    via: AnsweredVia = AnsweredVia.SYSTEM
    place_held_until: Instant | None = None
    seal_key: PublicKey | None = None


class Claim(Terms):
    """Channel by which the source learned of an acceptance that is not on the record yet."""

    via: AnsweredVia


class Rejection(Terms):
    """Reason for a rejection."""

    code: RejectionCode


class HoldExtension(Terms):
    """New end of a place hold."""

    place_held_until: Instant


class Start(Terms):
    """Sign that the service has begun."""

    kind: StartKind


class Pause(Terms):
    """Reason for a pause."""

    code: HoldCode


class Completion(Terms):
    """Outcome of the service."""

    outcome: ServiceOutcome


class Failure(Terms):
    """Reason why the service ended without an outcome."""

    code: FailureCode


class Continuation(Terms):
    """Channel by which the survivor confirmed that the service shall continue."""

    via: AnsweredVia


class Voiding(Terms):
    """Reason why the referral was entered in error."""

    code: VoidCode


class Disclosure(Terms):
    """A dossier, encrypted to the one-time key of the acceptance."""

    dossier: Commitment
    seal_key: KeyId


class Destruction(Terms):
    """Reason for the destruction of a dossier."""

    reason: DestructionReason


class ReferralRequested(Request, ReferralBody):
    """The source requested a service from the target."""

    type: ClassVar = "referral.requested.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET

    basis: BasisSnapshot


class ReferralImported(Request, ReferralBody):
    """The source imported a referral that began before the record, at ``began_at`` as claimed by the source."""

    type: ClassVar = "referral.imported.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET

    basis: BasisSnapshot
    began_at: Instant


class AcceptanceClaimed(Claim, ReferralBody):
    """The source claims an acceptance by phone or in person. It counts once the target confirms it."""

    type: ClassVar = "acceptance.claimed.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET


class DossierDisclosed(Disclosure, ReferralBody):
    """The source disclosed the dossier to the target."""

    type: ClassVar = "dossier.disclosed.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET


class CancellationRequested(ReferralBody):
    """The source asked the target to cancel."""

    type: ClassVar = "cancellation.requested.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET


class ReferralRedirected(ReferralBody):
    """The source redirected the request to another target. Recorded, and delivered to no other member."""

    type: ClassVar = "referral.redirected.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.EMITTER_ONLY

    next: Id


class ReferralDelivered(ReferralBody):
    """The target's system received the request; no person has seen it."""

    type: ClassVar = "referral.delivered.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralOpened(ReferralBody):
    """A person at the target opened the request."""

    type: ClassVar = "referral.opened.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralAccepted(Acceptance, ReferralBody):
    """The target accepted the request."""

    type: ClassVar = "referral.accepted.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralRejected(Rejection, ReferralBody):
    """The target rejected the request."""

    type: ClassVar = "referral.rejected.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class PlaceHoldExtended(HoldExtension, ReferralBody):
    """The target extended the place hold, once."""

    type: ClassVar = "place-hold.extended.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralStarted(Start, ReferralBody):
    """The service began."""

    type: ClassVar = "referral.started.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralPaused(Pause, ReferralBody):
    """The service was paused."""

    type: ClassVar = "referral.paused.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralResumed(ReferralBody):
    """The service resumed."""

    type: ClassVar = "referral.resumed.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralCompleted(Completion, ReferralBody):
    """The service was completed."""

    type: ClassVar = "referral.completed.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class DossierDelivered(ReferralBody):
    """The target's system received the dossier."""

    type: ClassVar = "dossier.delivered.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class CancellationDeclined(ReferralBody):
    """The target declined the cancellation and continues."""

    type: ClassVar = "cancellation.declined.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ServiceContinued(Continuation, ReferralBody):
    """The service continues at the wish of the survivor, after an ending was reported."""

    type: ClassVar = "service.continued.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class OnwardRefused(ReferralBody):
    """A request that the target made for this service was refused or failed. A person at the target answers the source.

    It names neither the request nor its target.
    """

    type: ClassVar = "onward.refused.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralFailed(Failure, ReferralBody):
    """The service ended without an outcome. The exchange emits it if the survivor ended it at another party."""

    type: ClassVar = "referral.failed.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.BOTH_PARTIES


class ReferralCancelled(ReferralBody):
    """The referral was cancelled."""

    type: ClassVar = "referral.cancelled.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.OTHER_PARTY


class DossierDestroyed(Destruction, ReferralBody):
    """A holder attests that it destroyed its copy of the dossier."""

    type: ClassVar = "dossier.destroyed.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.OTHER_PARTY


class ReferralVoided(Voiding, ReferralBody):
    """The referral was entered in error."""

    type: ClassVar = "referral.voided.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.OTHER_PARTY


class ReferralRevoked(ReferralBody):
    """The basis of the request ended before the target accepted."""

    type: ClassVar = "referral.revoked.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.BOTH_PARTIES

    reason: BasisEndReason


class DisclosureClosed(ReferralBody):
    """No further disclosure is allowed; the service continues."""

    type: ClassVar = "disclosure.closed.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.BOTH_PARTIES

    reason: BasisEndReason


class EndingReported(ReferralBody):
    """Another institution recorded that the survivor ends services. The target asks her, and ends or continues."""

    type: ClassVar = "ending.reported.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.BOTH_PARTIES
