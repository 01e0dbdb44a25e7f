"""Failure detector of the projection: the progress of the leader is the timeline itself, and its checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.postgres.timeline_store import TimelineStore
from handoff.leadership import Leader, ProgressTimeout
from handoff.node.ports import Clock


@dataclass(frozen=True, slots=True)
class TimelineProgress:
    """Progress of a projection: next offset of the timeline, end of the record, due time of the last checkpoint (ms).

    Before the first checkpoint the due time is 0.
    """

    next_offset: int
    record_end: int
    due_ms: int


@dataclass
class StallDetector:
    """Suspects a leader whose timeline lags behind the record without moving, or whose checkpoint is overdue.

    A leader that has just taken over has the whole ``patience_seconds``. So two standbys do not take over in turn.
    """

    cadence_seconds: float
    """Seconds between checkpoints; infinite if the projection publishes none."""
    patience_seconds: float
    clock: Clock
    monotonic: Callable[[], float] = monotonic
    _timeline: ProgressTimeout = field(init=False)
    _checkpoints: ProgressTimeout = field(init=False)

    def __post_init__(self) -> None:
        self._timeline = ProgressTimeout(self.patience_seconds, self.monotonic)
        self._checkpoints = ProgressTimeout(self.patience_seconds, self.monotonic)

    def suspects(self, leader: Leader) -> bool:
        progress = leader.progress
        if not isinstance(progress, TimelineProgress):
            raise TypeError(f"no progress of a timeline: {progress!r}")
        return self._lags(leader.epoch, progress) or self._is_overdue(leader.epoch, progress.due_ms)

    def _lags(self, epoch: int, progress: TimelineProgress) -> bool:
        if progress.next_offset >= progress.record_end:
            self._timeline.reset()
            return False
        return self._timeline.suspects(Leader(epoch, None, progress.next_offset))

    def _is_overdue(self, epoch: int, due_ms: int) -> bool:
        unchanged = self._checkpoints.suspects(Leader(epoch, None, due_ms))
        latest = due_ms / 1000 + self.cadence_seconds + self.patience_seconds
        return unchanged and due_ms > 0 and self.clock().timestamp() > latest

    def reset(self) -> None:
        self._timeline.reset()
        self._checkpoints.reset()


@dataclass(frozen=True)
class TimelineLeadership:
    """``LeadershipStore`` on the timeline's position. The timeline is the heartbeat, so nothing else is stored."""

    store: TimelineStore
    record: RecordReader

    async def leader(self) -> Leader:
        position = await self.store.position()
        progress = TimelineProgress(position.next_offset, await self.record.end(), await self.store.last_due_ms())
        return Leader(position.epoch, None, progress)

    async def acquire(self, instance: str, observed: Leader) -> int | None:  # noqa: ARG002 - no instance is stored
        if not isinstance(observed.progress, TimelineProgress):
            raise TypeError(f"no progress of a timeline: {observed.progress!r}")
        return await self.store.take_over_stalled(observed.epoch, observed.progress.next_offset)

    async def renew(self, epoch: int) -> bool:
        return (await self.store.position()).epoch == epoch

    async def release(self, epoch: int) -> None:
        """Do nothing: a standby notices that the timeline does not advance."""
