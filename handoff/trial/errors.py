"""What can go wrong with the trial stack."""


class TrialError(Exception):
    """A part of the trial stack that does not work; the message names the part and shows the end of its log."""
