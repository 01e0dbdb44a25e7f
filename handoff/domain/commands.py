"""What an institution can decide. A command's fields are its event's, less what the record adds.

``makes`` names the event. ``occurred_at`` is when it happened by the caller's own account; it becomes the event's
claimed time and orders nothing.
"""

from typing import ClassVar
from uuid import UUID

from handoff.record.codes import ReadPurpose
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.events.base import Body, Instant, Terms


class Command(Terms):
    """Something that an institution decides."""

    makes: ClassVar[type[Body]]

    occurred_at: Instant | None = None


class CaseCommand(Command):
    """A command about a case."""


class BasisCommand(Command):
    """A command about a basis that stands."""


class ReferralCommand(Command):
    """A command about a referral that exists."""


class DirectoryCommand(Command):
    """A command about the jurisdiction."""


class EscalationCommand(Command):
    """A command about an escalation."""


class OpenCase(c.Opening, CaseCommand):
    """Open a case."""

    makes: ClassVar = c.CaseOpened


class LinkCase(c.Link, CaseCommand):
    """Say that another case is of the same survivor."""

    makes: ClassVar = c.CasesLinked


class RecordBasis(c.Basis, CaseCommand):
    """Record a release or a legal basis."""

    makes: ClassVar = c.BasisRecorded


class ApproveBasis(c.Approval, BasisCommand):
    """Approve a legal basis that was used at night."""

    makes: ClassVar = c.BasisApproved


class WithdrawRelease(c.Scope, CaseCommand):
    """Record that the survivor takes back her release."""

    makes: ClassVar = c.ReleaseWithdrawn


class EndServices(c.Scope, CaseCommand):
    """Record that the survivor ends services."""

    makes: ClassVar = c.SurvivorEnded


class RecordRead(CaseCommand):
    """Record that a person read the case."""

    makes: ClassVar = c.CaseRead

    reader: UUID
    purpose: ReadPurpose


class RequestReferral(r.Request, CaseCommand):
    """Ask another institution for a service, on a basis recorded here; ``redirects`` names a refused referral."""

    makes: ClassVar = r.ReferralRequested

    basis: UUID
    redirects: UUID | None = None


class OpenReferral(ReferralCommand):
    """Record that a person here has seen it."""

    makes: ClassVar = r.ReferralOpened


class AcceptReferral(r.Acceptance, ReferralCommand):
    """Take it on."""

    makes: ClassVar = r.ReferralAccepted


class RejectReferral(r.Rejection, ReferralCommand):
    """Decline it."""

    makes: ClassVar = r.ReferralRejected


class ClaimAcceptance(r.Claim, ReferralCommand):
    """Record that the target said yes by phone or in person."""

    makes: ClassVar = r.AcceptanceClaimed


class ExtendPlaceHold(r.HoldExtension, ReferralCommand):
    """Hold the place longer, once."""

    makes: ClassVar = r.PlaceHoldExtended


class StartService(r.Start, ReferralCommand):
    """Record that the service has begun."""

    makes: ClassVar = r.ReferralStarted


class PauseService(r.Pause, ReferralCommand):
    """Let the service wait."""

    makes: ClassVar = r.ReferralPaused


class ResumeService(ReferralCommand):
    """Let the service go on."""

    makes: ClassVar = r.ReferralResumed


class CompleteService(r.Completion, ReferralCommand):
    """Complete the service."""

    makes: ClassVar = r.ReferralCompleted


class FailService(r.Failure, ReferralCommand):
    """End the service without an outcome."""

    makes: ClassVar = r.ReferralFailed


class CancelReferral(ReferralCommand):
    """Call the referral off."""

    makes: ClassVar = r.ReferralCancelled


class RequestCancellation(ReferralCommand):
    """Ask the target to stop."""

    makes: ClassVar = r.CancellationRequested


class DeclineCancellation(ReferralCommand):
    """Go on although the source asked to stop."""

    makes: ClassVar = r.CancellationDeclined


class VoidReferral(r.Voiding, ReferralCommand):
    """Mark the referral as entered in error."""

    makes: ClassVar = r.ReferralVoided


class PublishCapacity(d.Capacity, DirectoryCommand):
    """Say how much of a service is free."""

    makes: ClassVar = d.CapacityPublished


class AdmitAgency(d.Admission, DirectoryCommand):
    """Admit a member, or change its services and classes."""

    makes: ClassVar = d.AgencyAdmitted


class SuspendAgency(d.Suspension, DirectoryCommand):
    """Let a member take no new referrals."""

    makes: ClassVar = d.AgencySuspended


class PublishDeadlines(d.Deadlines, DirectoryCommand):
    """Set the deadlines that hold from here on."""

    makes: ClassVar = d.DeadlinesPublished


class ActivateRules(d.RulesVersionTerms, DirectoryCommand):
    """Let a version of the rules judge from here on."""

    makes: ClassVar = d.RulesActivated


class RegisterKey(d.KeyRegistration, DirectoryCommand):
    """Register a key."""

    makes: ClassVar = d.KeyRegistered


class RevokeKey(d.KeyEnd, DirectoryCommand):
    """Make a key void from here on."""

    makes: ClassVar = d.KeyRevoked


class RetireKey(d.KeyEnd, DirectoryCommand):
    """Lay a key aside."""

    makes: ClassVar = d.KeyRetired


class PublishCapabilities(d.Capabilities, DirectoryCommand):
    """Say which event types can be read here."""

    makes: ClassVar = d.CapabilitiesPublished


class AcknowledgeEscalation(dl.Acknowledgement, EscalationCommand):
    """Answer an escalation."""

    makes: ClassVar = dl.EscalationAcknowledged
