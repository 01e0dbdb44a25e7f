"""Clock of a handoff: its segments, its holds, its deadline, the time left, and the reason why the clock runs or not.

All readers call it: timers, lists, details, replay, figures, notices and the board. ``docs/coordination.md`` publishes
these rules. A change of a rule raises ``CLOCK_VERSION``, which every figure and answer states.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from handoff.domain import calendars
from handoff.domain.case import Ending, HoldPeriod, Step
from handoff.domain.deadlines import AllowedTime, Timed, allowed_time, responsible_member
from handoff.domain.directory import Directory
from handoff.record.codes import DeadlineStep, FailureCode, HoldCode, State

CLOCK_VERSION = 1
"""Version of the rules of the clock."""

_NOTHING = timedelta()


class Segment(StrEnum):
    """Segment of a handoff, named for the activity that is waited for."""

    TRANSPORT = "transport"
    UNSEEN = "unseen"
    DECIDING = "deciding"
    ACTING = "acting"
    CLOSING = "closing"


class ClockReason(StrEnum):
    """Reason why the clock of a step, or of a handoff, runs or not."""

    RUNNING = "running"
    ON_HOLD = "on_hold"
    OUTSIDE_HOURS = "outside_hours"
    LATE = "late"
    NO_DEADLINE = "no_deadline"
    ENDED = "ended"


class ClockedHandoff(Timed, Protocol):
    """Moments of a referral in record time: a folded referral or a row of the timeline."""

    @property
    def state(self) -> State: ...
    @property
    def delivered_at(self) -> datetime | None: ...
    @property
    def opened_at(self) -> datetime | None: ...
    @property
    def answered_at(self) -> datetime | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...
    @property
    def ending(self) -> Ending | None: ...
    @property
    def steps(self) -> tuple[Step, ...]: ...


@dataclass(frozen=True, slots=True)
class Span:
    """One segment of one handoff: its start, its end or censoring, and its duration outside holds.

    ``ended`` is False if it lasts, or if another event cut it short: the duration is then a censored observation.
    """

    segment: Segment
    since: datetime
    until: datetime
    lasted: timedelta
    ended: bool


@dataclass(frozen=True, slots=True)
class StepClock:
    """Clock of one open step.

    ``remaining`` is the time left in the step's own time, negative if it is late. ``used`` is the used share of the
    allowed time. ``hold`` is the code of the hold that stops it. ``estimated``: a holiday until then is an estimate.
    """

    step: DeadlineStep
    owes: str
    since: datetime
    due_at: datetime
    remaining: timedelta
    used: float
    missed: bool
    reason: ClockReason
    hold: HoldCode | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class HandoffClock:
    """Clock of a handoff at one moment.

    ``segments`` are those that have begun, and ``steps`` the open ones, without those of the coordinator.
    """

    version: int
    now: datetime
    segments: tuple[Span, ...]
    pauses: tuple[HoldPeriod, ...]
    steps: tuple[StepClock, ...]
    reason: ClockReason

    @property
    def current(self) -> Span | None:
        """Segment that lasts at that moment."""
        last = self.segments[-1] if self.segments and self.reason is not ClockReason.ENDED else None
        return last if last is not None and not last.ended else None

    @property
    def deadline(self) -> StepClock | None:
        """Step that is due first."""
        return min(self.steps, key=lambda step: step.due_at, default=None)


def handoff_clock(handoff: ClockedHandoff, directory: Directory, now: datetime) -> HandoffClock:
    """Return the clock of ``handoff`` at ``now``. ``directory`` has the calendars under which its steps began."""
    steps = tuple(step_clock(handoff, step, directory, now) for step in handoff.steps if step.answers is None)
    deadline = min(steps, key=lambda step: step.due_at, default=None)
    if handoff.closed_at is not None and deadline is None:
        reason = ClockReason.ENDED
    else:
        reason = deadline.reason if deadline is not None else ClockReason.NO_DEADLINE
    return HandoffClock(CLOCK_VERSION, now, tuple(segments(handoff, now)), handoff.pauses, steps, reason)


def step_clock(handoff: Timed, step: Step, directory: Directory, now: datetime) -> StepClock:
    """Return the clock of one open step of ``handoff`` at ``now``."""
    allowed = allowed_time(handoff, step, directory)
    spent = calendars.spent(allowed.counting, allowed.since, now, allowed.pauses)
    lasting = next((pause.code for pause in allowed.pauses if pause.until is None), None)
    remaining = allowed.amount - spent
    return StepClock(
        step=step.step,
        owes=responsible_member(handoff, step.step),
        since=step.since,
        due_at=step.due_at,
        remaining=remaining,
        used=spent / allowed.amount if allowed.amount > _NOTHING else 1.0,
        missed=step.missed,
        reason=_reason(step, allowed, remaining, now),
        hold=lasting if step.suspended else None,
        estimated=allowed.counting.is_estimated(allowed.since, max(step.due_at, allowed.since)),
    )


def _reason(step: Step, allowed: AllowedTime, remaining: timedelta, now: datetime) -> ClockReason:
    if step.missed or remaining <= _NOTHING:
        return ClockReason.LATE
    if step.suspended:
        return ClockReason.ON_HOLD
    return ClockReason.RUNNING if allowed.counting.counts_at(now) else ClockReason.OUTSIDE_HOURS


# Segments


def segments(handoff: ClockedHandoff, now: datetime) -> Iterator[Span]:
    """Yield the begun segments in order; none if the referral was entered in error before delivery."""
    if not was_never_there(handoff):
        for segment in Segment:
            span = _SEGMENTS[segment](handoff, now)
            if span is not None:
                yield span


def was_never_there(handoff: ClockedHandoff) -> bool:
    """Return whether it was entered in error before its target had it."""
    return handoff.state is State.ENTERED_IN_ERROR and _arrived_at(handoff) is None


def _arrived_at(handoff: ClockedHandoff) -> datetime | None:
    """Return when the target had it. An answer or an opening proves it, even without a receipt."""
    known = (handoff.delivered_at, handoff.opened_at, handoff.answered_at)
    return min((moment for moment in known if moment is not None), default=None)


def _seen_at(handoff: ClockedHandoff) -> datetime | None:
    """Return when a person saw it. A referral answered without being opened counts as seen on arrival.

    The whole wait is then *deciding* and *unseen* is zero, because the time of the first look is unknown.
    """
    opened, answered = handoff.opened_at, handoff.answered_at
    if answered is not None and (opened is None or opened > answered):
        return _arrived_at(handoff)
    return opened


def _accepted_at(handoff: ClockedHandoff) -> datetime | None:
    rejected = handoff.ending is not None and handoff.ending.state is State.REJECTED
    return None if rejected else handoff.answered_at


def _to_act_at(handoff: ClockedHandoff) -> datetime | None:
    """Return when the wait for the service begins: a follow-up's own date, else the acceptance."""
    accepted = _accepted_at(handoff)
    return max(accepted, handoff.due_at) if accepted is not None and handoff.due_at is not None else accepted


def _transport(handoff: ClockedHandoff, now: datetime) -> Span | None:
    return _span(handoff, Segment.TRANSPORT, handoff.requested_at, _arrived_at(handoff), now)


def _unseen(handoff: ClockedHandoff, now: datetime) -> Span | None:
    return _span(handoff, Segment.UNSEEN, _arrived_at(handoff), _seen_at(handoff), now)


def _deciding(handoff: ClockedHandoff, now: datetime) -> Span | None:
    return _span(handoff, Segment.DECIDING, _seen_at(handoff), handoff.answered_at, now)


def _acting(handoff: ClockedHandoff, now: datetime) -> Span | None:
    since = _to_act_at(handoff)
    if since is None or (handoff.started_at is None and since > (handoff.closed_at or now)):
        return None
    return _span(handoff, Segment.ACTING, since, handoff.started_at, now)


def _closing(handoff: ClockedHandoff, now: datetime) -> Span | None:
    ended = handoff.closed_at if _ended_by_itself(handoff) else None
    return _span(handoff, Segment.CLOSING, handoff.started_at, ended, now)


def _ended_by_itself(handoff: ClockedHandoff) -> bool:
    ending = handoff.ending
    if ending is None or ending.code == FailureCode.SURVIVOR_ENDED:
        return False
    return ending.state in {State.COMPLETED, State.FAILED}


_SEGMENTS: Mapping[Segment, Callable[[ClockedHandoff, datetime], Span | None]] = {
    Segment.TRANSPORT: _transport,
    Segment.UNSEEN: _unseen,
    Segment.DECIDING: _deciding,
    Segment.ACTING: _acting,
    Segment.CLOSING: _closing,
}


def _span(
    handoff: ClockedHandoff, segment: Segment, since: datetime | None, until: datetime | None, now: datetime
) -> Span | None:
    """Build the span from ``since`` to its own end ``until`` or, censored, to the end of the handoff or now."""
    if since is None:
        return None
    last = until or handoff.closed_at or now
    # A follow-up that began before its date, or a lagging clock, would give a negative wait.
    lasted = max(calendars.spent(calendars.ALL_HOURS, since, last, handoff.pauses), _NOTHING)
    return Span(segment, since, max(last, since), lasted, ended=until is not None)
