"""Kaplan-Meier: how long something takes, where part of it has not ended yet and must not be dropped."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """A duration in seconds, and whether it ended or was only seen to last that long (censored)."""

    seconds: float
    ended: bool


def survival(waits: Sequence[Wait]) -> Iterator[tuple[float, float]]:
    """(duration, share that lasts longer), at each duration at which something ended, rising.

    Where an end and a censoring fall together, the end is counted first, as is usual.
    """
    at_risk, share = len(waits), 1.0
    ends = Counter(wait.seconds for wait in waits if wait.ended)
    for seconds, here in sorted(Counter(wait.seconds for wait in waits).items()):
        if seconds in ends:
            share *= 1 - ends[seconds] / at_risk
            yield seconds, share
        at_risk -= here


def quantile(waits: Sequence[Wait], part: float) -> float | None:
    """The duration by which ``part`` of the waits have ended; None while too many have not."""
    # A share of survivors is a product of fractions: compared with a hair's breadth of tolerance.
    return next((seconds for seconds, share in survival(waits) if share <= 1 - part + 1e-9), None)
