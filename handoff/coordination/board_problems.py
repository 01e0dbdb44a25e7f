"""Kinds of problem that only the board returns, in addition to a node's."""

from http import HTTPStatus

from handoff.web.problems import ProblemKind

NOT_SIGNED_IN = ProblemKind(
    "not_signed_in", HTTPStatus.UNAUTHORIZED, "Not signed in", "Sign in with a one-time link from the operator."
)
ACCESS_NOT_RECORDED = ProblemKind(
    "access-not-recorded",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The read could not be recorded, so nothing is shown",
    "Try again after the time in Retry-After.",
)
