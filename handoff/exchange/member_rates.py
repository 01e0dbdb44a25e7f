"""Rate of each member's submissions: a token bucket, by which intake holds back one member's topic.

A rate is back-pressure and never a loss: what is held back stays in the member's own topic. Intake cannot see whether
an emergency is in it, so the burst is far above what an institution sends.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Bucket:
    """Submissions that a member may send now. Negative after a batch that was larger."""

    left: float
    filled_at: float


@dataclass(slots=True)
class MemberRates:
    """Limit of ``per_second`` submissions of each member in the long run, and of ``burst`` in succession."""

    per_second: float
    burst: int
    monotonic: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def count(self, member: str, submissions: int) -> float:
        """Count submissions that were read. Return the seconds for which the member's topic is to be held back."""
        now = self.monotonic()
        bucket = self._buckets.setdefault(member, _Bucket(self.burst, now))
        refilled = bucket.left + (now - bucket.filled_at) * self.per_second
        bucket.left, bucket.filled_at = min(self.burst, refilled) - submissions, now
        return max(0.0, -bucket.left / self.per_second)
