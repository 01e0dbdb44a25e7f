"""Closed lists of codes.

An event carries no other codes; an unknown code is refused by name.
Source: the field's own terms (HL7 FHIR Task for states; survivor-centred practice for the rest).
"""

from enum import StrEnum


class CaseService(StrEnum):
    """Service that one institution can request from another. There is no mediation."""

    SHELTER = "shelter"
    CASE_MANAGEMENT = "case_management"
    CHILD_PROTECTION = "child_protection"
    PSYCHOSOCIAL = "psychosocial"
    MEDICAL = "medical"
    POLICE_PROTECTION = "police_protection"
    LEGAL_AID = "legal_aid"
    PROTECTION_ORDER = "protection_order"
    VICTIM_ADVOCACY = "victim_advocacy"
    BENEFIT_CONTINUITY = "benefit_continuity"
    HOUSING = "housing"
    VOCATIONAL_TRAINING = "vocational_training"
    EMPLOYMENT = "employment"
    REINTEGRATION_PLAN = "reintegration_plan"
    FOLLOW_UP = "follow_up"


class Urgency(StrEnum):
    """Urgency of a request; it selects the deadlines."""

    EMERGENCY = "emergency"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class RejectionCode(StrEnum):
    """Reason for a rejection; each service allows only some of them."""

    UNITS_FULL = "no_capacity.units_full"
    NO_STAFF = "no_capacity.no_staff"
    CLOSED_UNFUNDED = "no_capacity.closed_unfunded"
    CANNOT_MEET_NEED = "cannot_meet_need"
    OUTSIDE_MANDATE = "outside_mandate"
    WRONG_SERVICE = "wrong_service"
    CONFLICT_OF_INTEREST = "conflict_of_interest"
    SURVIVOR_DECLINED = "survivor_declined"
    CANNOT_REACH_SAFELY = "cannot_reach_safely"
    DUPLICATE = "duplicate"
    BASIS_INVALID = "basis_invalid"


class FailureCode(StrEnum):
    """Reason why an accepted service ended without an outcome."""

    NO_ARRIVAL = "no_arrival"
    CANNOT_REACH_SAFELY = "cannot_reach_safely"
    SURVIVOR_ENDED = "survivor_ended"
    LEFT_SERVICE = "left_service"
    PROVIDER_CAPACITY = "provider_withdrew.capacity"
    PROVIDER_CONFLICT = "provider_withdrew.conflict"
    PROVIDER_SAFETY = "provider_withdrew.safety"
    TRANSFERRED = "transferred"
    DECEASED = "deceased"
    ONWARD_REFUSED = "onward_refused"


class HoldCode(StrEnum):
    """Reason for a pause."""

    WAITING_INTAKE = "waiting_intake"
    WAITING_THIRD_PARTY = "waiting_third_party"
    SURVIVOR_REQUEST = "survivor_request"


class VoidCode(StrEnum):
    """Reason why a referral was entered in error."""

    WRONG_CASE = "wrong_case"
    WRONG_TARGET = "wrong_target"
    DOUBLE_ENTRY = "double_entry"
    MISDIRECTED = "misdirected"


class BasisKind(StrEnum):
    """Kind of a basis of disclosure: the survivor's release, or a coded legal basis."""

    WRITTEN = "release.written"
    ORAL_WITNESSED = "release.oral_witnessed"
    GUARDIAN = "release.guardian"
    IMMINENT_DANGER = "imminent_danger"
    CHILD_PROTECTION_DUTY = "child_protection_duty"
    PROTECTION_ORDER_EXECUTION = "protection_order_execution"
    COURT_OR_PROSECUTOR_ORDER = "court_or_prosecutor_order"
    STATUTORY_NOTIFICATION = "statutory_notification"

    @property
    def is_release(self) -> bool:
        """True for a release by the survivor, which she can withdraw."""
        return self.value.startswith("release.")


class LegalRule(StrEnum):
    """Law or procedure on which a legal basis rests. A person of the field has to check each entry before use."""

    DOMESTIC_VIOLENCE_LAW = "xk.08.l185"
    CHILD_PROTECTION_LAW = "xk.06.l084"
    CRIMINAL_PROCEDURE_CODE = "xk.08.l032"
    SOCIAL_SERVICES_LAW = "xk.02.l17"
    STANDARD_PROCEDURES = "xk.sop.notify"


class SurvivorInformed(StrEnum):
    """Record of whether the survivor was informed about a disclosure without her release."""

    YES = "yes"
    DEFERRED_UNSAFE = "deferred_unsafe"


class ApproverRole(StrEnum):
    """Role of the approver of a legal basis."""

    DUTY_OFFICER = "duty_officer"
    UNIT_HEAD = "unit_head"
    HEAD_OF_SERVICE = "head_of_service"


class ReleasePurpose(StrEnum):
    """Purpose of a disclosure."""

    ARRANGE_SHELTER = "arrange_shelter"
    CASE_MANAGEMENT = "case_management"
    PROTECTION_ORDER_SUPPORT = "protection_order_support"
    LEGAL_REPRESENTATION = "legal_representation"
    HEALTH_CARE = "health_care"
    CHILD_PROTECTION = "child_protection"
    BENEFIT_CONTINUITY = "benefit_continuity"
    TRAINING = "training"
    JOB_PLACEMENT = "job_placement"
    HOUSING = "housing"
    FOLLOW_UP_CONTACT = "follow_up_contact"


class RecipientClass(StrEnum):
    """Class of recipients that a release may name instead of one agency."""

    LICENSED_SHELTER = "licensed_shelter"
    LEGAL_AID = "legal_aid"
    HEALTH_SERVICE = "health_service"


class AnsweredVia(StrEnum):
    """Channel of an answer."""

    SYSTEM = "system"
    PHONE = "phone"
    IN_PERSON = "in_person"


class StartKind(StrEnum):
    """Sign that a service has begun."""

    ARRIVAL = "arrival"
    FIRST_CONTACT = "first_contact"
    WORK_BEGUN = "work_begun"


class ServiceOutcome(StrEnum):
    """Outcome of a completed service."""

    PLAN_AGREED = "plan_agreed"
    PLAN_REFUSED = "plan_refused"
    DISCHARGE_PLANNED = "discharge.planned"
    DISCHARGE_OWN_WISH = "discharge.own_wish"
    DISCHARGE_MOVED_ON = "discharge.moved_on"
    TRAINING_COMPLETED = "training_completed"
    PLACED_IN_JOB = "placed_in_job"
    REPRESENTED = "represented"
    ORDER_GRANTED = "order_granted"
    ORDER_REFUSED = "order_refused"
    REACHED = "reached"
    UNSAFE_TO_CONTACT = "unsafe_to_contact"
    SERVICE_GIVEN = "service_given"
    CONTINUED = "continued"
    CONTINUED_SEPARATE_PAYEE = "continued_separate_payee"
    REINSTATED = "reinstated"
    SUSPENDED = "suspended"
    NOT_RECIPIENT = "not_recipient"
    SURVIVOR_DECLINED = "survivor_declined"


class EntryPoint(StrEnum):
    """Place where the survivor first reported the violence."""

    POLICE_CALL = "police_call"
    POLICE_STATION = "police_station"
    SELF_REPORT = "self_report"
    HEALTH_SERVICE = "health_service"
    SCHOOL = "school"
    HOTLINE = "hotline"
    OTHER_AGENCY = "other_agency"


class ReportingDelay(StrEnum):
    """Duration of the violence before it was reported, as a band."""

    SAME_DAY = "same_day"
    UP_TO_1W = "up_to_1w"
    UP_TO_1M = "up_to_1m"
    UP_TO_1Y = "up_to_1y"
    OVER_1Y = "over_1y"
    UNKNOWN = "unknown"


class OfferAnswer(StrEnum):
    """The survivor's answer to an offered service."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    UNDECIDED = "undecided"


class SafetyFlag(StrEnum):
    """Safety flags that may be recorded; the others are in the encrypted screening sheet."""

    DO_NOT_CONTACT = "do_not_contact"
    CONTACT_VIA_SOURCE_ONLY = "contact_via_source_only"


class EndScope(StrEnum):
    """Scope of a withdrawal or of an ending by the survivor."""

    ALL = "all"
    PURPOSE = "purpose"
    RECIPIENT = "recipient"


class DestructionReason(StrEnum):
    """Reason for the destruction of a dossier."""

    UNOPENED = "unopened"
    EXPIRED = "expired"
    ERASED = "erased"


class CapacityUnit(StrEnum):
    """Unit in which a provider counts its capacity."""

    PLACE = "place"
    FAMILY_ROOM = "family_room"
    CASE_SLOT = "case_slot"
    APPOINTMENT_SLOT = "appointment_slot"
    COURSE_SEAT = "course_seat"
    VACANCY = "vacancy"


class CapacityBand(StrEnum):
    """Free capacity, as a band; exact counts stay in the provider's node."""

    NONE = "none"
    SOME = "some"
    UNKNOWN = "unknown"


class CapacityState(StrEnum):
    """State of a service at a provider: open for requests, or the reason why it takes none."""

    OPEN = "open"
    FULL = "full"
    PAUSED_NO_STAFF = "paused_no_staff"
    CLOSED_UNFUNDED = "closed_unfunded"


class AcknowledgementAction(StrEnum):
    """Action of the coordinator on a missed deadline."""

    CALLED_AGENCY = "called_agency"
    REASSIGNED = "reassigned"
    REDIRECTED = "redirected"
    RESOURCE_REQUESTED = "resource_requested"
    NO_ACTION_NEEDED = "no_action_needed"


class EscalationEnd(StrEnum):
    """Reason why an escalation ended without an acknowledgement."""

    STEP_DONE = "step_done"
    REFERRAL_ENDED = "referral_ended"


class ReadPurpose(StrEnum):
    """Purpose of a read of a case by a person."""

    ACT_ON_REFERRAL = "act_on_referral"
    SUPERVISE = "supervise"
    SURVIVOR_REQUEST = "survivor_request"
    AUDIT = "audit"
    BREACH = "breach"
    TECHNICAL = "technical"


class BoardAccess(StrEnum):
    """Use of the coordinator's board by a person."""

    NOW = "now"
    PAST_DAY = "past_day"
    FIGURES = "figures"
    ACKNOWLEDGEMENT = "acknowledgement"


class DeadlineStep(StrEnum):
    """Step of the procedure that has a deadline. The list is closed (ADR 24)."""

    DELIVERED = "delivered"
    OPENED = "opened"
    ANSWERED = "answered"
    FIRST_CONTACT = "first_contact"
    REVIEW = "review"
    CANCELLATION_ANSWERED = "cancellation_answered"
    ENDING_ANSWERED = "ending_answered"
    ONWARD_ANSWERED = "onward_answered"
    NEXT_REFERRAL = "next_referral"
    ARRIVAL = "arrival"
    BENEFIT_DECIDED = "benefit_decided"
    BASIS_APPROVED = "basis_approved"
    ORDER_DECIDED = "order_decided"
    FOLLOW_UP = "follow_up"
    ACKNOWLEDGED = "acknowledged"


class DeadlineUnit(StrEnum):
    """Unit of the amount of a deadline."""

    SECONDS = "seconds"
    WORKING_DAYS = "working_days"


class Calendar(StrEnum):
    """Hours that count towards a deadline: all, or working hours."""

    ALWAYS = "always"
    WORKING = "working"


class DeadlineSource(StrEnum):
    """Source of a deadline. Only ``law`` may be presented as the text of a law."""

    LAW = "law"
    PRACTICE = "practice"
    ASSUMED = "assumed"


class MemberKind(StrEnum):
    """Function of a member in the jurisdiction."""

    AGENCY = "agency"
    COORDINATION = "coordination"
    AUDIT = "audit"


class KeyUse(StrEnum):
    """Use of a member's key: signatures on events, or encryption of documents for the member."""

    SIGNING = "signing"
    SEALING = "sealing"


class BasisEndReason(StrEnum):
    """Reason why a basis ended, and with it a request or a disclosure."""

    RELEASE_WITHDRAWN = "release_withdrawn"
    BASIS_EXPIRED = "basis_expired"


class IneffectiveReason(StrEnum):
    """Reason why an event is ineffective, other than the state of its referral."""

    ALREADY = "already"
    WRONG_EMITTER = "wrong_emitter"
    CODE_NOT_ALLOWED = "code_not_allowed"
    RELEASE_WITHDRAWN = "release_withdrawn"
    BASIS_EXPIRED = "basis_expired"
    BASIS_MISSING = "basis_missing"
    BASIS_DIFFERS = "basis_differs"
    PURPOSE_NOT_COVERED = "purpose_not_covered"
    RECIPIENT_NOT_COVERED = "recipient_not_covered"
    UNKNOWN_TARGET = "unknown_target"
    OWN_TARGET = "own_target"
    TARGET_NOT_AGENCY = "target_not_agency"
    SERVICE_NOT_OFFERED = "service_not_offered"
    SUSPENDED = "suspended"
    PLAN_MISSING = "plan_missing"
    CANCELLATION_NOT_REQUESTED = "cancellation_not_requested"
    ENDING_NOT_REPORTED = "ending_not_reported"
    NEXT_REFERRAL_MISSING = "next_referral_missing"
    REDIRECT_CYCLE = "redirect_cycle"
    DOSSIER_NOT_DISCLOSED = "dossier_not_disclosed"
    UNKNOWN_MEMBER = "unknown_member"
    RESERVED_MEMBER_ID = "reserved_member_id"
    UNKNOWN_KEY = "unknown_key"
    TOO_MANY_KEYS = "too_many_keys"
    TOO_MANY_BASES = "too_many_bases"
    TOO_MANY_OPEN_REFERRALS = "too_many_open_referrals"
    TOO_MANY_REFERRALS = "too_many_referrals"
    TOO_MANY_LINKS = "too_many_links"
    POSSESSION_NOT_PROVEN = "possession_not_proven"
    RULES_NOT_SUPPORTED = "rules_not_supported"
    TOO_EARLY = "too_early"


class CommandRefusal(StrEnum):
    """Reason for which a node refuses a command that the record would allow."""

    RECIPIENT_CANNOT_READ = "recipient_cannot_read"


class RedactionReason(StrEnum):
    """Reason for which the coordinator has a value removed from the record."""

    PERSONAL_DATA = "personal_data"
    COURT_ORDER = "court_order"


class RefusalCode(StrEnum):
    """Reason why a submission was refused, or is invalid on the record."""

    MALFORMED = "malformed"
    SCHEMA = "schema"
    SIGNATURE = "signature"
    KEY_NOT_IN_FORCE = "key_not_in_force"
    KEY_NOT_OWNER = "key_not_owner"
    WRONG_JURISDICTION = "wrong_jurisdiction"
    OVERSIZE = "oversize"
    UNLISTED_MEMBER = "unlisted_member"
    UNKNOWN_RULES = "unknown_rules"
    EQUIVOCATION = "equivocation"


class State(StrEnum):
    """State of a referral, as in HL7 FHIR Task, and *revoked* for a withdrawn release."""

    ABSENT = "absent"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    REJECTED = "rejected"
    REVOKED = "revoked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
