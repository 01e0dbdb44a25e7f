"""Events about a case as a whole: opening, bases of disclosure and their end, reads, erasure."""

from typing import ClassVar, Self

from pydantic import model_validator

from handoff.record.codes import (
    ApproverRole,
    BasisEndReason,
    BasisKind,
    CaseService,
    EndScope,
    EntryPoint,
    LegalRule,
    OfferAnswer,
    ReadPurpose,
    RecipientClass,
    ReleasePurpose,
    ReportingDelay,
    SurvivorInformed,
)
from handoff.record.events.base import Audience, Body, Emitter, Instant, MemberId, Terms
from handoff.record.uuid_text import Id


class Offer(Terms):
    """A service offered to the survivor, and her answer."""

    service: CaseService
    answer: OfferAnswer


class Opening(Terms):
    """Entry point of the case, and the services offered to the survivor there."""

    entry_point: EntryPoint
    reporting_delay: ReportingDelay
    offered: tuple[Offer, ...] = ()


class Link(Terms):
    """Another case of the same survivor."""

    other_case: Id


class BasisTerms(Terms):
    """Basis of a disclosure: recipient, purpose and expiry; a legal basis also names its rule and approver.

    Exactly one of ``recipient`` and ``recipient_class`` is given. A legal basis has either ``approved_at`` or
    ``approval_due_at``.
    """

    kind: BasisKind
    purpose: ReleasePurpose
    recipient: MemberId | None = None
    recipient_class: RecipientClass | None = None
    expires_at: Instant
    rule: LegalRule | None = None
    approver_role: ApproverRole | None = None
    approved_at: Instant | None = None
    approval_due_at: Instant | None = None
    survivor_informed: SurvivorInformed | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.recipient is None) == (self.recipient_class is None):
            raise ValueError("give exactly one of recipient and recipient_class")
        legal = (self.rule, self.approver_role, self.survivor_informed)
        if self.kind.is_release:
            if any(given is not None for given in (*legal, self.approved_at, self.approval_due_at)):
                raise ValueError("a release carries no rule, approver, approval or survivor_informed")
        elif any(missing is None for missing in legal):
            raise ValueError("a legal basis needs rule, approver_role and survivor_informed")
        elif (self.approved_at is None) == (self.approval_due_at is None):
            raise ValueError("a legal basis needs exactly one of approved_at and approval_due_at")
        return self


class Scope(Terms):
    """Scope of a withdrawal or ending: everything, one purpose, or one recipient."""

    scope: EndScope
    purpose: ReleasePurpose | None = None
    recipient: MemberId | None = None

    @model_validator(mode="after")
    def _names_its_object(self) -> Self:
        expected = {
            EndScope.ALL: (False, False),
            EndScope.PURPOSE: (True, False),
            EndScope.RECIPIENT: (False, True),
        }
        if (self.purpose is not None, self.recipient is not None) != expected[self.scope]:
            raise ValueError("scope purpose needs a purpose, scope recipient a recipient, scope all neither")
        return self


class Approval(Terms):
    """Approval of a legal basis that was used before it was approved."""

    approver_role: ApproverRole


class CaseOpened(Opening, Body):
    """A case was opened."""

    type: ClassVar = "case.opened.v1"
    emitter: ClassVar = Emitter.ANY_AGENCY
    audience: ClassVar = Audience.EMITTER_ONLY


class CasesLinked(Link, Body):
    """Two cases concern the same survivor."""

    type: ClassVar = "cases.linked.v1"
    emitter: ClassVar = Emitter.ANY_AGENCY
    audience: ClassVar = Audience.EMITTER_ONLY


class BasisRecorded(BasisTerms, Body):
    """A release or a legal basis was recorded."""

    type: ClassVar = "basis.recorded.v1"
    emitter: ClassVar = Emitter.CASE_PARTY
    audience: ClassVar = Audience.EMITTER_ONLY

    basis: Id


class BasisApproved(Approval, Body):
    """A legal basis that was used at night was approved."""

    type: ClassVar = "basis.approved.v1"
    emitter: ClassVar = Emitter.BASIS_OWNER
    audience: ClassVar = Audience.EMITTER_ONLY

    basis: Id


class BasisEnded(Body):
    """A basis ended and allows no further disclosure."""

    type: ClassVar = "basis.ended.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.BASIS_OWNER

    basis: Id
    reason: BasisEndReason


class ReleaseWithdrawn(Scope, Body):
    """The survivor withdrew her release, orally or in writing, at any party of the case."""

    type: ClassVar = "release.withdrawn.v1"
    emitter: ClassVar = Emitter.CASE_PARTY
    audience: ClassVar = Audience.EMITTER_ONLY


class SurvivorEnded(Scope, Body):
    """The survivor ended services."""

    type: ClassVar = "survivor.ended.v1"
    emitter: ClassVar = Emitter.CASE_PARTY
    audience: ClassVar = Audience.EMITTER_ONLY


class CaseRead(Body):
    """A person read the case; ``reader`` is the opaque id that the node gives to this person."""

    type: ClassVar = "case.read.v1"
    emitter: ClassVar = Emitter.MEMBER
    audience: ClassVar = Audience.EMITTER_ONLY

    reader: Id
    purpose: ReadPurpose


class ErasureCompleted(Body):
    """A holder erased the personal data of a referral. Its backups are clear at ``backups_clear_at``."""

    type: ClassVar = "erasure.completed.v1"
    emitter: ClassVar = Emitter.MEMBER
    audience: ClassVar = Audience.EMITTER_ONLY

    referral: Id
    backups_clear_at: Instant
