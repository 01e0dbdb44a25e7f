"""Errors of the trial stack."""

from handoff.operations.errors import OperationError


class TrialError(OperationError):
    """A failure of a part of the trial stack. The message names the part and includes the end of its log."""
