"""Events about late steps of the procedure."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from handoff.record.codes import AcknowledgementAction, CaseService, DeadlineStep, EscalationEnd, Urgency
from handoff.record.events.base import Audience, Body, Count, Emitter, Instant, MemberId, StatusBody, Terms
from handoff.record.uuid_text import Id


class _StepBody(Body):
    """A step of a referral, or of a basis that awaits its approval.

    The step's holder, name and start, ``since``, identify it.
    """

    step: DeadlineStep
    since: Instant
    referral: Id | None = None
    basis: Id | None = None

    @model_validator(mode="after")
    def _has_one_holder(self) -> Self:
        if (self.referral is None) == (self.basis is None):
            raise ValueError("give exactly one of referral and basis")
        return self


class DeadlineMissed(_StepBody):
    """A step was still open at its due time."""

    type: ClassVar = "deadline.missed.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.STEP_PARTIES

    due_at: Instant
    attempt: Count = 0


class DeadlineAcknowledged(_StepBody):
    """The coordinator acted on a missed deadline."""

    type: ClassVar = "deadline.acknowledged.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.STEP_PARTIES

    action: AcknowledgementAction


class DeadlineEscalated(StatusBody):
    """Escalation of a late step to the coordinator, without the case: ``reference`` is opaque.

    ``since`` and ``due_at`` are of the step. An escalation without an acknowledgement by ``acknowledge_by`` escalates
    once more; that one names it in ``repeats``. No page or alarm before ``notify_at``: the coordinator's next working
    hour, except in an emergency.
    """

    type: ClassVar = "deadline.escalated.v2"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.COORDINATION

    reference: Id
    member: MemberId
    service: CaseService | None = None
    step: DeadlineStep
    age_seconds: int = Field(ge=0, le=10_000_000_000, description="Seconds since the step began")
    urgency: Urgency | None = None
    since: Instant | None = None
    due_at: Instant | None = None
    acknowledge_by: Instant | None = None
    notify_at: Instant | None = None
    repeats: Id | None = None


class EscalationEnded(StatusBody):
    """An escalation ended without an acknowledgement: the step was done late, or it is no longer awaited."""

    type: ClassVar = "escalation.ended.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.COORDINATION

    reference: Id
    reason: EscalationEnd


class Acknowledgement(Terms):
    """Action of the coordinator."""

    action: AcknowledgementAction


class EscalationAcknowledged(Acknowledgement, StatusBody):
    """The coordinator acknowledged an escalation."""

    type: ClassVar = "escalation.acknowledged.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.EMITTER_ONLY

    reference: Id
