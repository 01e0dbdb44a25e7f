"""The reasons for which a command is refused or its event is ineffective: one sentence each, for the caller."""

from collections.abc import Mapping
from types import MappingProxyType

from handoff.record.codes import CommandRefusal, IneffectiveReason, RefusalCode, State

Reason = State | IneffectiveReason | CommandRefusal | RefusalCode
"""The state of the referral, or a code."""

_I, _S, _R = IneffectiveReason, State, RefusalCode

MEANINGS: Mapping[Reason, str] = MappingProxyType(
    {
        _S.ABSENT: "There is no such case or referral, or this member has no part in it.",
        _S.REQUESTED: "The target has not accepted the referral yet.",
        _S.ACCEPTED: "The target has accepted the referral, and the service has not started.",
        _S.IN_PROGRESS: "The service has started.",
        _S.ON_HOLD: "The service is on hold: resume it first.",
        _S.REJECTED: "The target has rejected the referral.",
        _S.REVOKED: "The basis of the request ended before the target accepted.",
        _S.COMPLETED: "The service is completed.",
        _S.FAILED: "The service has ended without an outcome.",
        _S.CANCELLED: "The referral is cancelled.",
        _S.ENTERED_IN_ERROR: "The referral is marked as entered in error.",
        _I.ALREADY: "The same is already on the record: do not repeat it.",
        _I.WRONG_EMITTER: "This belongs to another party: the other side of the referral, the owner, the coordinator "
        "or the exchange.",
        _I.CODE_NOT_ALLOWED: "The service, or this member's role in the referral, does not allow the code.",
        _I.RELEASE_WITHDRAWN: "The survivor has withdrawn the release on which the referral rests.",
        _I.BASIS_EXPIRED: "The release or legal basis has expired: record a new one.",
        _I.BASIS_MISSING: "This member has recorded no such basis in the case.",
        _I.BASIS_DIFFERS: "The request's copy of the basis differs from the recorded basis.",
        _I.PURPOSE_NOT_COVERED: "The purpose of the basis does not permit this service.",
        _I.RECIPIENT_NOT_COVERED: "The basis names another recipient, or a class that the target does not belong to.",
        _I.UNKNOWN_TARGET: "The directory has no member with the target's id.",
        _I.OWN_TARGET: "A member cannot request a service from itself.",
        _I.TARGET_NOT_AGENCY: "The target is not an agency, so it takes no referrals.",
        _I.SERVICE_NOT_OFFERED: "The institution does not offer this service, by the directory.",
        _I.SUSPENDED: "The target is suspended from new referrals.",
        _I.PLAN_MISSING: "A planned discharge needs a reintegration plan that this member requested and that was "
        "agreed or refused.",
        _I.CANCELLATION_NOT_REQUESTED: "The source has not requested a cancellation, or it is answered already.",
        _I.ENDING_NOT_REPORTED: "No reported ending waits for this member's answer.",
        _I.NEXT_REFERRAL_MISSING: "This member has made no request with the id of the next referral.",
        _I.REDIRECT_CYCLE: "The redirect would lead back to the same referral.",
        _I.DOSSIER_NOT_DISCLOSED: "The source has disclosed no dossier in this referral.",
        _I.UNKNOWN_MEMBER: "The directory has no member with this id.",
        _I.RESERVED_MEMBER_ID: "This id belongs to the exchange.",
        _I.UNKNOWN_KEY: "The directory has no key with this id.",
        _I.TOO_MANY_KEYS: "The owner of the key has as many keys in force, or registered in a month, as are allowed.",
        _I.TOO_MANY_BASES: "The emitter has recorded as many bases in this case as are allowed.",
        _I.TOO_MANY_OPEN_REFERRALS: "The source has as many open referrals in this case as are allowed.",
        _I.TOO_MANY_REFERRALS: "The source has as many referrals in this case, ended ones included, as are allowed.",
        _I.TOO_MANY_LINKS: "The case has as many links to other cases as are allowed.",
        _I.POSSESSION_NOT_PROVEN: "The proof of possession does not fit the key, the member and the jurisdiction.",
        _I.RULES_NOT_SUPPORTED: "This release does not have that version of the rules.",
        _I.TOO_EARLY: "The time at which it applies has not come, by record time.",
        CommandRefusal.RECIPIENT_CANNOT_READ: "The system of the recipient has not declared that it reads this event: "
        "use the phone until it is upgraded.",
        _R.MALFORMED: "The event is not strict JSON, or its Kafka record does not fit it.",
        _R.SCHEMA: "The event does not fit its schema.",
        _R.SIGNATURE: "The signature does not fit the event.",
        _R.KEY_NOT_IN_FORCE: "The signing key was not in force at the event's place on the record.",
        _R.KEY_NOT_OWNER: "The signing key belongs to another member.",
        _R.WRONG_JURISDICTION: "The event names another jurisdiction or generation.",
        _R.OVERSIZE: "The event is too large.",
        _R.UNLISTED_MEMBER: "The event names a member that the directory does not have.",
        _R.UNKNOWN_RULES: "The exchange does not have the version of the rules that the event activates.",
        _R.EQUIVOCATION: "Another event with the same id is on the record already.",
    }
)
"""Reason → one sentence."""


def meaning(reason: str | None) -> str | None:
    """Return the sentence of a reason; None if there is none."""
    return MEANINGS.get(reason) if reason is not None else None  # type: ignore[call-overload] # a StrEnum is its value
