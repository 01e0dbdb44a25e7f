"""The `as_of` parameter of the API and the pages, and the problem of a question that cannot be answered."""

from datetime import datetime

from handoff.views.replay.moments import moment_of
from handoff.views.replay.refused import QuestionRefused
from handoff.web.problems import NOT_VALID, Fault, ProblemError


def parse_as_of(text: str, now: datetime, field: str = "as_of") -> datetime:
    """Parse a time. Raises the problem `not_valid` that names ``field``."""
    try:
        return moment_of(text, now, field)
    except QuestionRefused as refused:
        raise question_problem(refused) from None


def question_problem(refused: QuestionRefused) -> ProblemError:
    """Return the problem of a question that cannot be answered. It repeats no value of the request."""
    faults = (Fault(field=refused.field, problem="is not valid here"),)
    return NOT_VALID.error(f"{refused.field} is not valid.", faults=faults)
