"""Rules of the clock, as the API publishes them. ``docs/coordination.md`` has the same rules for people."""

from collections.abc import Mapping

from pydantic import BaseModel

from handoff.domain.handoff_clock import CLOCK_VERSION, Segment
from handoff.record.codes import DeadlineStep
from handoff.record.events.directory import HOLD_STEPS


class SegmentRule(BaseModel):
    """Start and end of a segment."""

    segment: Segment
    starts: str
    ends: str


class StepRule(BaseModel):
    """Start and end of the clock of a step, and whether a deadline can name holds that stop it."""

    step: DeadlineStep
    starts: str
    ends: str
    hold_can_stop: bool


class ClockRules(BaseModel):
    """Rules of the clock. A figure states the version by which it was counted."""

    version: int
    rules: tuple[str, ...]
    segments: tuple[SegmentRule, ...]
    steps: tuple[StepRule, ...]


_SEGMENTS: Mapping[Segment, tuple[str, str]] = {
    Segment.TRANSPORT: ("request on the record", "delivered, or an earlier opening or answer"),
    Segment.UNSEEN: ("delivered", "opened by a person; zero if it was answered without an opening"),
    Segment.DECIDING: ("opened by a person", "answered"),
    Segment.ACTING: ("accepted, or the date of a follow-up", "service started"),
    Segment.CLOSING: ("service started", "completed or failed; another end cuts it short"),
}
_STEPS: Mapping[DeadlineStep, tuple[str, str]] = {
    DeadlineStep.DELIVERED: ("request on the record", "delivered"),
    DeadlineStep.OPENED: ("emergency delivered", "opened by a person"),
    DeadlineStep.ANSWERED: ("delivered", "accepted or rejected"),
    DeadlineStep.FIRST_CONTACT: ("case management or child protection accepted", "service started"),
    DeadlineStep.ARRIVAL: ("place accepted, or held until a new time", "arrival"),
    DeadlineStep.REVIEW: ("put on hold", "resumed"),
    DeadlineStep.CANCELLATION_ANSWERED: ("cancellation requested", "cancelled or declined"),
    DeadlineStep.ENDING_ANSWERED: ("ending reported", "ended or continued"),
    DeadlineStep.ONWARD_ANSWERED: ("onward request refused", "ended by the institution in between"),
    DeadlineStep.NEXT_REFERRAL: ("no place", "redirected"),
    DeadlineStep.BENEFIT_DECIDED: ("benefit continuity requested", "decided"),
    DeadlineStep.ORDER_DECIDED: ("work on the order began", "decided"),
    DeadlineStep.FOLLOW_UP: ("requested, due on its own date", "service started"),
    DeadlineStep.ACKNOWLEDGED: ("escalated to the coordinator", "acknowledged with an action"),
    DeadlineStep.BASIS_APPROVED: ("basis recorded without approval", "approved"),
}

CLOCK_RULES = ClockRules(
    version=CLOCK_VERSION,
    rules=(
        "Record time counts. Claimed times never move a clock.",
        "A step keeps the deadline and the calendar that were in force when it began.",
        "A hold stops the clock of a step if the deadline names its code. A deadline by law names none.",
        "A hold leaves the steps open that were open before it. When it ends, the due time moves by the counted time.",
        "Segments leave out every hold.",
        "Seconds of the calendar 'always' are elapsed time; seconds of 'working' are time within working hours.",
        "Working days end at the same local time. A step that begins outside a working day has the whole next one.",
        "The calendar is that of the member that has to do the step.",
        "Case, referral, step and start identify a miss. A step is missed once, even if its due time moves.",
        "A request whose basis expires ends; no later answer is late.",
        "An open wait counts with its age, as a censored observation.",
    ),
    segments=tuple(SegmentRule(segment=segment, starts=s, ends=e) for segment, (s, e) in _SEGMENTS.items()),
    steps=tuple(
        StepRule(step=step, starts=s, ends=e, hold_can_stop=step in HOLD_STEPS) for step, (s, e) in _STEPS.items()
    ),
)
"""The rules in force."""
