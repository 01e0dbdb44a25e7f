"""Kinds of problem that only the audit's API returns, in addition to a node's."""

from http import HTTPStatus

from handoff.web.problems import NODE_PROBLEMS, ProblemKind

NOT_SIGNED_IN = ProblemKind(
    "not_signed_in",
    HTTPStatus.UNAUTHORIZED,
    "Not signed in",
    "Sign in with a one-time link, or send the token of the auditors' system as `Authorization: Bearer …`.",
)
CASE_NOT_RECORDED = ProblemKind(
    "case_not_recorded", HTTPStatus.NOT_FOUND, "The record contains nothing about such a case", "Check the case's id."
)
PURPOSE_REQUIRED = ProblemKind(
    "purpose_required",
    HTTPStatus.PRECONDITION_REQUIRED,
    "A purpose is required to read a case",
    "Send `Read-Purpose` with one of its codes. A session needs it once for each case.",
)
NOT_PROVEN_YET = ProblemKind(
    "not_proven_yet",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "No checkpoint with enough cosignatures covers the case yet",
    "Try again after the next checkpoint.",
)
ACCESS_NOT_RECORDED = ProblemKind(
    "access-not-recorded",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The read could not be recorded, so nothing is shown",
    "Try again after the time in Retry-After.",
)

AUDIT_PROBLEMS = (
    *NODE_PROBLEMS,
    NOT_SIGNED_IN,
    CASE_NOT_RECORDED,
    PURPOSE_REQUIRED,
    NOT_PROVEN_YET,
    ACCESS_NOT_RECORDED,
)
"""Every kind of problem that the audit's API can return."""
