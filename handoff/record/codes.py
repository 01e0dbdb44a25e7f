"""The closed vocabularies of the record.

Every code that an event may carry stands here, and nowhere else. Unknown codes are refused by name.
Source: the field's own terms (HL7 FHIR Task for states; survivor-centred practice for the rest).
"""

from enum import StrEnum


class CaseService(StrEnum):
    """What one institution can ask of another. There is no mediation."""

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
    """How soon an answer is needed."""

    EMERGENCY = "emergency"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class RejectionCode(StrEnum):
    """Why a target declines a request; each service allows only some of them."""

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
    """Why an accepted service ended without an outcome."""

    NO_ARRIVAL = "no_arrival"
    CANNOT_REACH_SAFELY = "cannot_reach_safely"
    SURVIVOR_ENDED = "survivor_ended"
    LEFT_SERVICE = "left_service"
    PROVIDER_CAPACITY = "provider_withdrew.capacity"
    PROVIDER_CONFLICT = "provider_withdrew.conflict"
    PROVIDER_SAFETY = "provider_withdrew.safety"
    TRANSFERRED = "transferred"
    DECEASED = "deceased"


class HoldCode(StrEnum):
    """Why a service waits."""

    WAITING_INTAKE = "waiting_intake"
    WAITING_THIRD_PARTY = "waiting_third_party"
    SURVIVOR_REQUEST = "survivor_request"


class VoidCode(StrEnum):
    """Why a referral should never have been made."""

    WRONG_CASE = "wrong_case"
    WRONG_TARGET = "wrong_target"
    DOUBLE_ENTRY = "double_entry"
    MISDIRECTED = "misdirected"


class BasisKind(StrEnum):
    """Under what something may be disclosed: the survivor's release, or a coded legal basis."""

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
        """Whether the survivor gave it, and can therefore withdraw it."""
        return self.value.startswith("release.")


class SurvivorInformed(StrEnum):
    """Whether she was told of a disclosure that did not need her release."""

    YES = "yes"
    DEFERRED_UNSAFE = "deferred_unsafe"


class ApproverRole(StrEnum):
    """Who may approve a legal basis."""

    DUTY_OFFICER = "duty_officer"
    UNIT_HEAD = "unit_head"
    HEAD_OF_SERVICE = "head_of_service"


class ReleasePurpose(StrEnum):
    """What a basis allows the recipient to be told things for."""

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
    """A kind of agency that a release may name instead of one agency."""

    LICENSED_SHELTER = "licensed_shelter"
    LEGAL_AID = "legal_aid"
    HEALTH_SERVICE = "health_service"


class AnsweredVia(StrEnum):
    """How an answer reached the source."""

    SYSTEM = "system"
    PHONE = "phone"
    IN_PERSON = "in_person"


class StartKind(StrEnum):
    """What shows that a service has begun."""

    ARRIVAL = "arrival"
    FIRST_CONTACT = "first_contact"
    WORK_BEGUN = "work_begun"


class ServiceOutcome(StrEnum):
    """What a completed service came to."""

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
    """Where the survivor first spoke of it."""

    POLICE_CALL = "police_call"
    POLICE_STATION = "police_station"
    SELF_REPORT = "self_report"
    HEALTH_SERVICE = "health_service"
    SCHOOL = "school"
    HOTLINE = "hotline"
    OTHER_AGENCY = "other_agency"


class ReportingDelay(StrEnum):
    """How long the violence had lasted before it was reported, as a band."""

    SAME_DAY = "same_day"
    UP_TO_1W = "up_to_1w"
    UP_TO_1M = "up_to_1m"
    UP_TO_1Y = "up_to_1y"
    OVER_1Y = "over_1y"
    UNKNOWN = "unknown"


class OfferAnswer(StrEnum):
    """What the survivor said to a service that she was offered."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    UNDECIDED = "undecided"


class SafetyFlag(StrEnum):
    """The only safety flags that may lie on the record; the rest travel in the sealed screening sheet."""

    DO_NOT_CONTACT = "do_not_contact"
    CONTACT_VIA_SOURCE_ONLY = "contact_via_source_only"


class EndScope(StrEnum):
    """How much a withdrawal, or the survivor's ending, covers."""

    ALL = "all"
    PURPOSE = "purpose"
    RECIPIENT = "recipient"


class DestructionReason(StrEnum):
    """Why a dossier is gone."""

    UNOPENED = "unopened"
    EXPIRED = "expired"
    ERASED = "erased"


class CapacityUnit(StrEnum):
    """What a provider counts."""

    PLACE = "place"
    FAMILY_ROOM = "family_room"
    CASE_SLOT = "case_slot"
    APPOINTMENT_SLOT = "appointment_slot"
    COURSE_SEAT = "course_seat"
    VACANCY = "vacancy"


class CapacityBand(StrEnum):
    """How much is free; exact counts stay in the provider's own node."""

    NONE = "none"
    SOME = "some"
    UNKNOWN = "unknown"


class CapacityState(StrEnum):
    """Whether a provider takes requests at all."""

    OPEN = "open"
    FULL = "full"
    PAUSED_NO_STAFF = "paused_no_staff"
    CLOSED_UNFUNDED = "closed_unfunded"


class AcknowledgementAction(StrEnum):
    """What the coordinator did about a missed deadline."""

    CALLED_AGENCY = "called_agency"
    REASSIGNED = "reassigned"
    REDIRECTED = "redirected"
    RESOURCE_REQUESTED = "resource_requested"
    NO_ACTION_NEEDED = "no_action_needed"


class ReadPurpose(StrEnum):
    """Why a person opened a case."""

    ACT_ON_REFERRAL = "act_on_referral"
    SUPERVISE = "supervise"
    SURVIVOR_REQUEST = "survivor_request"
    AUDIT = "audit"
    BREACH = "breach"
    TECHNICAL = "technical"


class DeadlineStep(StrEnum):
    """A step of the procedure that somebody waits for."""

    DELIVERED = "delivered"
    OPENED = "opened"
    ANSWERED = "answered"
    FIRST_CONTACT = "first_contact"
    REVIEW = "review"
    CANCELLATION_ANSWERED = "cancellation_answered"
    NEXT_REFERRAL = "next_referral"
    ARRIVAL = "arrival"
    BENEFIT_DECIDED = "benefit_decided"
    BASIS_APPROVED = "basis_approved"
    ORDER_DECIDED = "order_decided"
    FOLLOW_UP = "follow_up"
    ACKNOWLEDGED = "acknowledged"


class Calendar(StrEnum):
    """Which hours count towards a deadline."""

    ALWAYS = "always"
    WORKING = "working"


class DeadlineSource(StrEnum):
    """What a deadline rests on; none may be presented as a law's text unless it is one."""

    LAW = "law"
    PRACTICE = "practice"
    ASSUMED = "assumed"


class MemberKind(StrEnum):
    """What a member of the jurisdiction is there for."""

    AGENCY = "agency"
    COORDINATION = "coordination"
    AUDIT = "audit"


class KeyUse(StrEnum):
    """What a member's key is for."""

    SIGNING = "signing"
    SEALING = "sealing"


class IneffectiveReason(StrEnum):
    """Why an event changed nothing, where the referral's state alone does not say it."""

    RELEASE_WITHDRAWN = "release_withdrawn"
    BASIS_EXPIRED = "basis_expired"
    BASIS_MISSING = "basis_missing"
    UNKNOWN_TARGET = "unknown_target"
    SUSPENDED = "suspended"
    PLAN_MISSING = "plan_missing"
    CODE_NOT_ALLOWED = "code_not_allowed"
    TOO_EARLY = "too_early"


class RefusalCode(StrEnum):
    """Why a submission was not put on the record, or counts as invalid there."""

    MALFORMED = "malformed"
    SCHEMA = "schema"
    SIGNATURE = "signature"
    KEY_NOT_IN_FORCE = "key_not_in_force"
    KEY_NOT_OWNER = "key_not_owner"
    WRONG_JURISDICTION = "wrong_jurisdiction"
    OVERSIZE = "oversize"
    EQUIVOCATION = "equivocation"


class State(StrEnum):
    """A referral's state: HL7 FHIR Task's, and *revoked* for a withdrawn release."""

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
