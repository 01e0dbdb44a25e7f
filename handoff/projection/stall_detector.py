"""Decide when a standby treats the active checkpoint writer as dead."""

from dataclasses import dataclass


@dataclass
class StallDetector:
    """Failure detector for a silent log. A writer that has just taken over gets a grace period."""

    cadence_seconds: float
    patience_seconds: float
    _heard: tuple[int, int] = (-1, -1)
    _since: float = 0

    def is_too_long(self, epoch: int, due_ms: int, now: float) -> bool:
        """Return whether the writer of ``epoch`` has missed the checkpoint after ``due_ms`` (0: it has none yet)."""
        if (epoch, due_ms) != self._heard:
            self._heard, self._since = (epoch, due_ms), now
        missed = due_ms > 0 and now > due_ms / 1000 + self.cadence_seconds + self.patience_seconds
        return missed and now > self._since + self.patience_seconds
