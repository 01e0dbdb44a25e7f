"""When who stands by for a log takes its silence for death."""

from dataclasses import dataclass


@dataclass
class Silence:
    """What who stands by makes of a log that says nothing: a writer that has just taken over is given its time."""

    cadence_seconds: float
    patience_seconds: float
    _heard: tuple[int, int] = (-1, -1)
    _since: float = 0

    def is_too_long(self, epoch: int, due_ms: int, now: float) -> bool:
        """Whether the writer of ``epoch``, whose last checkpoint was due then (0: it has none), has missed the next."""
        if (epoch, due_ms) != self._heard:
            self._heard, self._since = (epoch, due_ms), now
        missed = due_ms > 0 and now > due_ms / 1000 + self.cadence_seconds + self.patience_seconds
        return missed and now > self._since + self.patience_seconds
