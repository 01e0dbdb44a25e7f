"""What the two sides of a referral say to each other, and what the exchange says to both."""

from typing import ClassVar
from uuid import UUID

from handoff.record.codes import (
    AnsweredVia,
    BasisKind,
    CaseService,
    DestructionReason,
    FailureCode,
    HoldCode,
    IneffectiveReason,
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


class BasisSnapshot(Terms):
    """The basis as it stood when a request was made, so that the target knows under what it is asked."""

    basis: UUID
    kind: BasisKind
    purpose: ReleasePurpose
    recipient: MemberId | None = None
    recipient_class: RecipientClass | None = None
    expires_at: Instant


class Commitment(Terms):
    """A sealed sheet or dossier that belongs to an event, named by hashes alone."""

    commitment: Sha256
    sealed: Sha256


class Request(Terms):
    """What is asked, of whom, and how soon. ``due_at`` starts the acting clock of a follow-up."""

    target: MemberId
    service: CaseService
    urgency: Urgency
    due_at: Instant | None = None
    safety_flags: tuple[SafetyFlag, ...] = ()
    sheet: Commitment | None = None


class Acceptance(Terms):
    """How a request was accepted, until when a place is held, and the one-time key for the dossier."""

    via: AnsweredVia = AnsweredVia.SYSTEM
    place_held_until: Instant | None = None
    seal_key: PublicKey | None = None


class Claim(Terms):
    """How the source was told of an acceptance that is not on the record yet."""

    via: AnsweredVia


class Rejection(Terms):
    """Why a request was declined."""

    code: RejectionCode


class HoldExtension(Terms):
    """Until when a place is held now."""

    place_held_until: Instant


class Start(Terms):
    """What shows that the service has begun."""

    kind: StartKind


class Pause(Terms):
    """Why a service waits."""

    code: HoldCode


class Completion(Terms):
    """What the service came to."""

    outcome: ServiceOutcome


class Failure(Terms):
    """Why the service ended without an outcome."""

    code: FailureCode


class Voiding(Terms):
    """Why the referral should never have been made."""

    code: VoidCode


class Disclosure(Terms):
    """A dossier, sealed to the one-time key of the acceptance."""

    dossier: Commitment
    seal_key: KeyId


class Destruction(Terms):
    """Why a dossier is gone."""

    reason: DestructionReason


class ReferralRequested(Request, ReferralBody):
    """The source asks the target for a service."""

    type: ClassVar = "referral.requested.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET

    basis: BasisSnapshot


class ReferralImported(Request, ReferralBody):
    """The source brings over a referral that began before the record did, at ``began_at`` by its own account."""

    type: ClassVar = "referral.imported.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET

    basis: BasisSnapshot
    began_at: Instant


class AcceptanceClaimed(Claim, ReferralBody):
    """The source was told by phone or in person that it is accepted; counts once the target confirms."""

    type: ClassVar = "acceptance.claimed.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET


class DossierDisclosed(Disclosure, ReferralBody):
    """The source releases the dossier to the target."""

    type: ClassVar = "dossier.disclosed.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET


class CancellationRequested(ReferralBody):
    """The source asks the target to stop."""

    type: ClassVar = "cancellation.requested.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET


class ReferralRedirected(ReferralBody):
    """The source asks another target next; on the record, told to nobody."""

    type: ClassVar = "referral.redirected.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.NOBODY

    next: UUID


class ReferralDelivered(ReferralBody):
    """A machine of the target has it; no person has seen it."""

    type: ClassVar = "referral.delivered.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralOpened(ReferralBody):
    """A person at the target has seen it."""

    type: ClassVar = "referral.opened.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralAccepted(Acceptance, ReferralBody):
    """The target takes it on."""

    type: ClassVar = "referral.accepted.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralRejected(Rejection, ReferralBody):
    """The target declines it."""

    type: ClassVar = "referral.rejected.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class PlaceHoldExtended(HoldExtension, ReferralBody):
    """The target holds the place longer, once."""

    type: ClassVar = "place-hold.extended.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralStarted(Start, ReferralBody):
    """The service has begun."""

    type: ClassVar = "referral.started.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralPaused(Pause, ReferralBody):
    """The service waits."""

    type: ClassVar = "referral.paused.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralResumed(ReferralBody):
    """The service goes on."""

    type: ClassVar = "referral.resumed.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralCompleted(Completion, ReferralBody):
    """The service is done."""

    type: ClassVar = "referral.completed.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class DossierDelivered(ReferralBody):
    """The target's machine has the dossier."""

    type: ClassVar = "dossier.delivered.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class CancellationDeclined(ReferralBody):
    """The target goes on although it was asked to stop."""

    type: ClassVar = "cancellation.declined.v1"
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


class ReferralFailed(Failure, ReferralBody):
    """The service ended without an outcome; the exchange says it where the survivor ended it elsewhere."""

    type: ClassVar = "referral.failed.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.BOTH_PARTIES


class ReferralCancelled(ReferralBody):
    """The referral is called off."""

    type: ClassVar = "referral.cancelled.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.OTHER_PARTY


class DossierDestroyed(Destruction, ReferralBody):
    """A holder attests that its copy of the dossier is gone."""

    type: ClassVar = "dossier.destroyed.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.OTHER_PARTY


class ReferralVoided(Voiding, ReferralBody):
    """The referral was entered in error."""

    type: ClassVar = "referral.voided.v1"
    emitter: ClassVar = Emitter.EITHER_PARTY
    audience: ClassVar = Audience.OTHER_PARTY


class ReferralRevoked(ReferralBody):
    """The release under which it was asked is gone before anybody accepted."""

    type: ClassVar = "referral.revoked.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.BOTH_PARTIES

    reason: IneffectiveReason


class DisclosureClosed(ReferralBody):
    """Nothing more may be disclosed; the service goes on."""

    type: ClassVar = "disclosure.closed.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.BOTH_PARTIES

    reason: IneffectiveReason
