"""Commands of an institution. A command's fields are those of its event, without what the record adds.

``makes`` is the event's body. ``occurred_at`` is the time that the caller states; it becomes the event's claimed time
and decides no order. A command's docstring up to the first semicolon is its summary in OpenAPI.
"""

from typing import ClassVar

from handoff.record.codes import ReadPurpose
from handoff.record.events import board as b
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.events.base import Body, Instant, Terms
from handoff.record.uuid_text import Id


class Command(Terms):
    """Request to a node, in the imperative: it makes events or is refused."""

    makes: ClassVar[type[Body]]

    occurred_at: Instant | None = None


class CaseCommand(Command):
    """A command about a case."""


class BasisCommand(Command):
    """A command about a basis that is recorded."""


class ReferralCommand(Command):
    """A command about an existing referral."""


class DirectoryCommand(Command):
    """A command about the jurisdiction."""


class EscalationCommand(Command):
    """A command about an escalation."""


class OpenCase(c.Opening, CaseCommand):
    """Open a case."""

    makes: ClassVar = c.CaseOpened


class LinkCase(c.Link, CaseCommand):
    """Record that another case is of the same survivor."""

    makes: ClassVar = c.CasesLinked


class RecordBasis(c.BasisTerms, CaseCommand):
    """Record a release or a legal basis."""

    makes: ClassVar = c.BasisRecorded


class ApproveBasis(c.Approval, BasisCommand):
    """Approve a legal basis that was used out of hours."""

    makes: ClassVar = c.BasisApproved


class WithdrawRelease(c.Scope, CaseCommand):
    """Record that the survivor withdraws her release."""

    makes: ClassVar = c.ReleaseWithdrawn


class EndServices(c.Scope, CaseCommand):
    """Record that the survivor ends services."""

    makes: ClassVar = c.SurvivorEnded


class RecordRead(CaseCommand):
    """Record that a person read the case."""

    makes: ClassVar = c.CaseRead

    reader: Id
    purpose: ReadPurpose


class RequestReferral(r.Request, CaseCommand):
    """Request a service from another institution; ``basis`` is recorded here, ``redirects`` is a refused referral."""

    makes: ClassVar = r.ReferralRequested

    basis: Id
    redirects: Id | None = None


class OpenReferral(ReferralCommand):
    """Record that a person at the target has seen the referral."""

    makes: ClassVar = r.ReferralOpened


class AcceptReferral(r.Acceptance, ReferralCommand):
    """Accept the referral."""

    makes: ClassVar = r.ReferralAccepted


class RejectReferral(r.Rejection, ReferralCommand):
    """Reject the referral."""

    makes: ClassVar = r.ReferralRejected


class ClaimAcceptance(r.Claim, ReferralCommand):
    """Record that the target accepted by phone or in person."""

    makes: ClassVar = r.AcceptanceClaimed


class ExtendPlaceHold(r.HoldExtension, ReferralCommand):
    """Extend the hold on the place, once."""

    makes: ClassVar = r.PlaceHoldExtended


class StartService(r.Start, ReferralCommand):
    """Record that the service has begun."""

    makes: ClassVar = r.ReferralStarted


class PauseService(r.Pause, ReferralCommand):
    """Pause the service."""

    makes: ClassVar = r.ReferralPaused


class ResumeService(ReferralCommand):
    """Resume the service."""

    makes: ClassVar = r.ReferralResumed


class CompleteService(r.Completion, ReferralCommand):
    """Complete the service."""

    makes: ClassVar = r.ReferralCompleted


class FailService(r.Failure, ReferralCommand):
    """End the service without an outcome."""

    makes: ClassVar = r.ReferralFailed


class CancelReferral(ReferralCommand):
    """Cancel the referral."""

    makes: ClassVar = r.ReferralCancelled


class RequestCancellation(ReferralCommand):
    """Request that the target cancels the service."""

    makes: ClassVar = r.CancellationRequested


class DeclineCancellation(ReferralCommand):
    """Decline the source's request to cancel."""

    makes: ClassVar = r.CancellationDeclined


class ContinueService(r.Continuation, ReferralCommand):
    """Continue the service with the survivor's word, after an ending was reported."""

    makes: ClassVar = r.ServiceContinued


class VoidReferral(r.Voiding, ReferralCommand):
    """Mark the referral as entered in error."""

    makes: ClassVar = r.ReferralVoided


class PublishCapacity(d.Capacity, DirectoryCommand):
    """Publish the free capacity of a service."""

    makes: ClassVar = d.CapacityPublished


class AdmitAgency(d.Admission, DirectoryCommand):
    """Admit a member, or change its services and classes."""

    makes: ClassVar = d.AgencyAdmitted


class SuspendAgency(d.Suspension, DirectoryCommand):
    """Suspend a member from new referrals."""

    makes: ClassVar = d.AgencySuspended


class PublishDeadlines(d.Deadlines, DirectoryCommand):
    """Publish the deadlines that apply from this entry on."""

    makes: ClassVar = d.DeadlinesPublished


class PublishCalendars(d.Calendars, DirectoryCommand):
    """Publish the working hours, holidays and clock changes that apply to steps that begin after this entry."""

    makes: ClassVar = d.CalendarsPublished


class ActivateRules(d.RulesVersionTerms, DirectoryCommand):
    """Activate a version of the rules from this entry on."""

    makes: ClassVar = d.RulesActivated


class RegisterKey(d.KeyRegistration, DirectoryCommand):
    """Register a key."""

    makes: ClassVar = d.KeyRegistered


class RevokeKey(d.KeyEnd, DirectoryCommand):
    """Revoke a key from this entry on."""

    makes: ClassVar = d.KeyRevoked


class RetireKey(d.KeyEnd, DirectoryCommand):
    """Retire a key."""

    makes: ClassVar = d.KeyRetired


class RecordRedaction(d.RedactionTerms, DirectoryCommand):
    """Order the removal of a value from the record. The operator can then redact it."""

    makes: ClassVar = d.ValueRedacted


class PublishCapabilities(d.Capabilities, DirectoryCommand):
    """Publish the event types that this member can read."""

    makes: ClassVar = d.CapabilitiesPublished


class AcknowledgeEscalation(dl.Acknowledgement, EscalationCommand):
    """Acknowledge an escalation."""

    makes: ClassVar = dl.EscalationAcknowledged


class RecordBoardRead(b.BoardVisit, DirectoryCommand):
    """Record that a person read the board or acknowledged an escalation on it."""

    makes: ClassVar = b.BoardRead
