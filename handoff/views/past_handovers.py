"""Past handovers: handovers of work from before the record, folded from the events of an imported log.

They are a baseline for figures and are never mixed with those of the record. A log has one handover per case at a
time: a request begins it, and later events are its milestones. Times are the log's own claims.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from handoff.views.survival import Wait, quantile


class Milestone(StrEnum):
    """Effect of a logged activity on a handover."""

    REQUESTS = "requests"
    OPENS = "opens"
    ANSWERS = "answers"
    STARTS = "starts"
    PAUSES = "pauses"
    RESUMES = "resumes"
    ENDS = "ends"


class NoEffect(StrEnum):
    """Reason for which a milestone changes no handover."""

    NO_REQUEST = "no_request"
    REPEATED = "repeated"
    NOT_PAUSED = "not_paused"


@dataclass(frozen=True, slots=True)
class PastEvent:
    """A milestone of one case. ``number`` is its position in the log, from 1; ``group`` the unit that acted."""

    number: int
    milestone: Milestone
    at: datetime
    group: str | None = None


@dataclass(frozen=True, slots=True)
class PastHandover:
    """Moments of a past handover. ``paused`` is the total of its ended pauses, with its part before each milestone.

    ``superseded_at`` is the next request of the same case, which censors the waits of a handover without an end.
    A start or an end counts as the answer if the log has none before it.
    """

    requested_at: datetime
    source: str | None = None
    target: str | None = None
    opened_at: datetime | None = None
    answered_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    superseded_at: datetime | None = None
    paused_at: datetime | None = None
    paused: timedelta = timedelta()
    paused_before_open: timedelta = timedelta()
    paused_before_answer: timedelta = timedelta()
    paused_before_start: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class FoldedCase:
    """The handovers of one case in order, and its events without effect, by number and reason."""

    handovers: tuple[PastHandover, ...]
    without_effect: tuple[tuple[int, NoEffect], ...]


def fold_case(events: Iterable[PastEvent]) -> FoldedCase:
    """Fold the events of one case. At equal times, the order of the log counts."""
    handovers: list[PastHandover] = []
    without_effect: list[tuple[int, NoEffect]] = []
    for event in sorted(events, key=lambda each: (each.at, each.number)):
        last = handovers[-1] if handovers else None
        changed = _request(last, event) if event.milestone is Milestone.REQUESTS else _progress(last, event)
        if isinstance(changed, NoEffect):
            without_effect.append((event.number, changed))
        else:
            handovers[-1:] = changed
    return FoldedCase(tuple(handovers), tuple(without_effect))


def _request(last: PastHandover | None, event: PastEvent) -> Sequence[PastHandover] | NoEffect:
    begun = PastHandover(event.at, source=event.group)
    if last is None:
        return (begun,)
    if last.ended_at is not None:
        return (last, begun)
    if last.answered_at is None:
        return NoEffect.REPEATED
    return (replace(_resumed(last, event.at), superseded_at=event.at), begun)


def _progress(last: PastHandover | None, event: PastEvent) -> Sequence[PastHandover] | NoEffect:
    if last is None or last.ended_at is not None:
        return NoEffect.NO_REQUEST
    if event.milestone is Milestone.PAUSES:
        return NoEffect.REPEATED if last.paused_at is not None else (replace(last, paused_at=event.at),)
    if event.milestone is Milestone.RESUMES:
        return NoEffect.NOT_PAUSED if last.paused_at is None else (_resumed(last, event.at),)
    if event.milestone in _passed(last):
        return NoEffect.REPEATED
    return (_reach(last, event),)


def _passed(handover: PastHandover) -> Iterator[Milestone]:
    """Yield the milestones that cannot be reached any more. An answer shows that it was seen."""
    if handover.opened_at is not None or handover.answered_at is not None:
        yield Milestone.OPENS
    if handover.answered_at is not None:
        yield Milestone.ANSWERS
    if handover.started_at is not None:
        yield Milestone.STARTS


def _reach(handover: PastHandover, event: PastEvent) -> PastHandover:
    """Return the handover at its next milestone, and without a pause: a new milestone shows that work continues."""
    reached = _resumed(handover, event.at)
    reached = replace(reached, target=reached.target or event.group)
    if event.milestone is Milestone.OPENS:
        return replace(reached, opened_at=event.at, paused_before_open=reached.paused)
    if reached.answered_at is None:
        reached = replace(reached, answered_at=event.at, paused_before_answer=reached.paused)
    if event.milestone is Milestone.STARTS:
        return replace(reached, started_at=event.at, paused_before_start=reached.paused)
    return replace(reached, ended_at=event.at) if event.milestone is Milestone.ENDS else reached


def _resumed(handover: PastHandover, at: datetime) -> PastHandover:
    if handover.paused_at is None:
        return handover
    return replace(handover, paused=handover.paused + (at - handover.paused_at), paused_at=None)


# Figures


@dataclass(frozen=True, slots=True)
class PastWaits:
    """Figures of one wait of past handovers. Durations in seconds; None if too few have ended."""

    count: int
    open: int
    p50: float | None
    p90: float | None

    @classmethod
    def of(cls, waits: Sequence[Wait]) -> "PastWaits":
        """Figures of ``waits`` by the Kaplan-Meier estimate."""
        unended = sum(not wait.ended for wait in waits)
        return cls(len(waits), unended, quantile(waits, 0.5), quantile(waits, 0.9))


@dataclass(frozen=True, slots=True)
class PastFigures:
    """Figures of the past handovers from one unit to another, None where the log does not say.

    Each wait runs from the request and leaves pauses out. These are claims of the imported log.
    """

    source: str | None
    target: str | None
    until_opened: PastWaits
    until_answered: PastWaits
    until_started: PastWaits
    until_ended: PastWaits


def past_figures(handovers: Iterable[PastHandover], last: datetime) -> Iterator[PastFigures]:
    """Yield the figures of each pair of units, by name. ``last`` is the log's newest time; it censors open waits."""
    pairs: dict[tuple[str, str], list[PastHandover]] = {}
    for handover in handovers:
        pairs.setdefault((handover.source or "", handover.target or ""), []).append(handover)
    for (source, target), here in sorted(pairs.items()):
        yield PastFigures(
            source=source or None,
            target=target or None,
            until_opened=PastWaits.of([_until_opened(each, last) for each in here]),
            until_answered=PastWaits.of(
                [_wait(each, each.answered_at, each.paused_before_answer, last) for each in here]
            ),
            until_started=PastWaits.of([_wait(each, each.started_at, each.paused_before_start, last) for each in here]),
            until_ended=PastWaits.of([_wait(each, each.ended_at, each.paused, last) for each in here]),
        )


def _until_opened(handover: PastHandover, last: datetime) -> Wait:
    if handover.opened_at is None:
        return _until_answered(handover, last)
    return _wait(handover, handover.opened_at, handover.paused_before_open, last)


def _until_answered(handover: PastHandover, last: datetime) -> Wait:
    return _wait(handover, handover.answered_at, handover.paused_before_answer, last)


def _wait(handover: PastHandover, reached_at: datetime | None, paused: timedelta, last: datetime) -> Wait:
    """Return the wait until ``reached_at``, else until it can no longer be reached."""
    until = reached_at or handover.ended_at or handover.superseded_at or last
    if reached_at is None:
        paused = handover.paused
    if reached_at is None and handover.paused_at is not None:
        paused += until - handover.paused_at
    return Wait((until - handover.requested_at - paused) / timedelta(seconds=1), reached_at is not None)
