"""Errors of operator commands."""


class OperationError(Exception):
    """An operation that failed. The message names the failure and the action to take."""
