"""Leadership: one process at a time does the work that a member, the exchange or the projection needs exactly once.

A leader is an epoch. It shows progress, usually as a heartbeat in its database, and the standbys observe it. A standby
that observes no progress for a time takes over with the next epoch. Every write of a leader is conditional on its epoch
(it is fenced): a leader that was suspected wrongly, or that was frozen and resumes, changes nothing and gets
``LeadershipLost``. A lock in the database would not do, because a frozen process keeps its session and its lock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

# Each heartbeat is a write to disk.
HEARTBEAT_SECONDS = 1.0
POLL_SECONDS = 0.25
RELEASE_SECONDS = 0.5


class LeadershipLost(Exception):
    """A newer epoch exists: drop every cache, write nothing more, and stand by or restart."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The leader as it is observed. ``instance`` is None if the store does not know it.

    ``progress`` changes while it works; None if it released, or none ever led.
    """

    epoch: int
    instance: str | None
    progress: Hashable


class LeadershipStore(Protocol):
    """The stored epoch. Each method is one statement, and raises an error of its own if the store is unavailable."""

    async def leader(self) -> Leader:
        """Return the present leader."""

    async def acquire(self, instance: str, observed: Leader) -> int | None:
        """Start a new epoch if the leader is still as ``observed``, and return it; else None."""

    async def renew(self, epoch: int) -> bool:
        """Store a heartbeat. Return False if ``epoch`` is over."""

    async def release(self, epoch: int) -> None:
        """Let a standby take over without waiting, unless ``epoch`` is over already."""


class FailureDetector(Protocol):
    """Decides from observations whether a leader has failed."""

    def suspects(self, leader: Leader) -> bool:
        """Return whether the leader has failed, given this observation and the ones before."""

    def reset(self) -> None:
        """Forget the observations: while the store was unavailable, no leader could show progress."""


@dataclass
class ProgressTimeout:
    """Failure detector that suspects a leader without progress for ``timeout_seconds``.

    Time is the standby's own and runs from its first observation, so clocks need not agree, and after an outage of the
    database each leader has the whole time again.
    """

    timeout_seconds: float
    monotonic: Callable[[], float] = monotonic
    _last: tuple[int, Hashable] | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)

    def suspects(self, leader: Leader) -> bool:
        now, observation = self.monotonic(), (leader.epoch, leader.progress)
        if observation != self._last:
            self._last, self._since = observation, now
        return now - self._since >= self.timeout_seconds

    def reset(self) -> None:
        self._last = None


@dataclass
class Leadership:
    """One process's part in the election. ``instance`` names the process and stays the same over its restarts.

    ``unavailable`` are the store's errors that are retried.
    """

    store: LeadershipStore
    instance: str
    detector: FailureDetector
    unavailable: tuple[type[Exception], ...]
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    poll_seconds: float = POLL_SECONDS
    monotonic: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    epoch: int | None = field(default=None, init=False)
    """The epoch in which this process leads; None if it does not lead."""
    standby: bool = field(default=False, init=False)
    """True if this process observes another leader, and could take over."""
    _may_resume: bool = field(default=True, init=False)
    _renewed_at: float = field(default=0.0, init=False)

    async def acquire(self) -> int:
        """Return the epoch as soon as this process leads.

        That is immediately if it led before it was restarted, or if the leader has released; otherwise once the leader
        is suspected.
        """
        while True:
            try:
                epoch = await self._try_to_acquire()
            except self.unavailable as error:
                self.standby = False
                self.detector.reset()
                log.warning("leadership.store_unavailable", error=type(error).__name__)
            else:
                self.standby = epoch is None
                if epoch is not None:
                    self.epoch, self._renewed_at = epoch, self.monotonic()
                    log.info("leadership.acquired", epoch=epoch, instance=self.instance)
                    return epoch
            await self.sleep(self.poll_seconds)

    async def _try_to_acquire(self) -> int | None:
        leader = await self.store.leader()
        # Only the first observation: a process that has lost its epoch to one of the same name must not take it back.
        resumes, self._may_resume = self._may_resume and leader.instance == self.instance, False
        if resumes or leader.progress is None or self.detector.suspects(leader):
            return await self.store.acquire(self.instance, leader)
        return None

    async def renew(self) -> None:
        """Store a heartbeat if one is due. Raises ``LeadershipLost`` and what the store raises."""
        if self.epoch is None:
            raise LeadershipLost("this process does not lead")
        now = self.monotonic()
        if now - self._renewed_at < self.heartbeat_seconds:
            return
        if not await self.store.renew(self.epoch):
            raise LeadershipLost(f"epoch {self.epoch} is over: another process leads")
        self._renewed_at = now

    async def keep(self) -> None:
        """Store heartbeats until cancelled, then release. Raises ``LeadershipLost``."""
        try:
            while True:
                try:
                    await self.renew()
                except self.unavailable as error:
                    log.warning("leadership.store_unavailable", error=type(error).__name__)
                await self.sleep(self.heartbeat_seconds)
        finally:
            await self.release()

    async def release(self) -> None:
        """Let a standby take over without waiting for its timeout. Gives up soon if the store does not answer."""
        epoch, self.epoch = self.epoch, None
        if epoch is not None:
            with suppress(TimeoutError, *self.unavailable):
                await asyncio.wait_for(self.store.release(epoch), RELEASE_SECONDS)
