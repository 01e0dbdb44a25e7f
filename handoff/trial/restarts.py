"""Restarts of processes that ended: after a pause that grows, and with the reason of each end."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from handoff.backoff import Backoff
from handoff.trial.child_process import SupervisedProcess
from handoff.trial.errors import TrialError

_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 30.0


def restart_backoff() -> Backoff:
    """Return the pauses between the restarts of one process."""
    return Backoff(_FIRST_SECONDS, _LONGEST_SECONDS)


@dataclass
class _Attempts:
    """Restarts of one process: start of its current run, and time of its next start after it ended."""

    backoff: Backoff
    started: float
    due: float | None = None


class Restarts:
    """Restarts of a set of processes. A run longer than the longest pause starts the pauses again from the first."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, new_backoff: Callable[[], Backoff] = restart_backoff
    ) -> None:
        self._now = now
        self._new_backoff = new_backoff
        self._attempts: dict[str, _Attempts] = {}

    def check(self, processes: Iterable[SupervisedProcess]) -> Iterator[str]:
        """Start each process that ended and whose pause is over. Yield a sentence for each end and each restart."""
        for process in processes:
            attempts = self._attempts.get(process.name)
            if attempts is None:
                attempts = self._attempts[process.name] = _Attempts(self._new_backoff(), self._now())
            if process.running:
                attempts.due = None
            elif attempts.due is None:
                yield f"{process.name} {process.end_reason()}. {self._schedule(attempts)}. Its log is {process.log}."
            elif self._now() >= attempts.due:
                yield self._start(process, attempts)

    def _schedule(self, attempts: _Attempts) -> str:
        if self._now() - attempts.started > attempts.backoff.longest:
            attempts.backoff.reset()
        pause = attempts.backoff.pause()
        attempts.due = self._now() + pause
        return f"It is started again in {pause:.1f} s"

    def _start(self, process: SupervisedProcess, attempts: _Attempts) -> str:
        attempts.started = self._now()
        try:
            process.start()
        except (TrialError, OSError) as error:
            return f"{process.name} could not be started: {error}. {self._schedule(attempts)}."
        attempts.due = None
        return f"{process.name} is started again."
