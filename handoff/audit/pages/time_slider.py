"""The moments of a case: where the slider stands, and what an `as_of` in a query means."""

from dataclasses import dataclass
from datetime import datetime

from handoff.views.replay.history import History
from handoff.views.replay.moments import moment_of
from handoff.views.replay.refused import QuestionRefused
from handoff.web.problems import NOT_VALID, Fault, ProblemError


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a replay stands: at the ``step``-th of the case's moments, or behind the last of them, which is now."""

    at: datetime
    step: int
    last: int

    @property
    def is_now(self) -> bool:
        """Whether it is the present and not the past."""
        return self.step == self.last


def moments(history: History) -> tuple[datetime, ...]:
    """The distinct record times at which something was said in the case."""
    return tuple(dict.fromkeys(told.at for told in history.own))


def moment(history: History, now: datetime, step: int | None, as_of: str | None) -> Moment:
    """The moment that a slider's ``step`` or else an ``as_of`` asks for; the present if neither does.

    Raises the problem of an ``as_of`` that is none.
    """
    stood = moments(history)
    now = max(now, *stood[-1:])
    last = len(stood) + 1
    if step is not None and 1 <= step < last:
        return Moment(stood[step - 1], step, last)
    if step is None and as_of:
        at = parsed(as_of, now)
        return Moment(at, last if at == now else sum(stand <= at for stand in stood), last)
    return Moment(now, last, last)


def parsed(text: str, now: datetime, field: str = "as_of") -> datetime:
    """The moment in ``text``. Raises the problem that names ``field``."""
    try:
        return moment_of(text, now, field)
    except QuestionRefused as refused:
        raise not_answered(refused) from None


def not_answered(refused: QuestionRefused) -> ProblemError:
    """The problem of a question that has no answer; it repeats nothing of what was sent."""
    faults = (Fault(field=refused.field, problem="is not valid here"),)
    return NOT_VALID.error(f"{refused.field} is not valid.", faults=faults)
