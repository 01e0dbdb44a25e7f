"""A node's turn: of the processes that serve one member, one at a time relays and folds, and the others stand by.

Whoever has the turn shows itself in the database. A lock would not do: a process that is stopped keeps it.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

import structlog

from handoff import telemetry
from handoff.node.commands.results import StoreUnavailable
from handoff.node.ports import StoodDown, Store

log = structlog.get_logger(__name__)

# Each sign of life is a write to disk.
SIGN_OF_LIFE_SECONDS = 1.0
# After it another process takes over: short enough for whoever waits, long enough for a machine that is busy.
SILENCE_SECONDS = 5.0
LOOK_SECONDS = 0.25
LAY_DOWN_SECONDS = 0.5
_FOR_EVER = 1e9


@dataclass
class Leadership:
    """One process's share in the turns; ``holder`` tells it from the others and stays the same over restarts."""

    store: Store
    holder: str
    silence_seconds: float = SILENCE_SECONDS
    sign_of_life_seconds: float = SIGN_OF_LIFE_SECONDS
    mine: bool = field(default=False, init=False)
    """Whether this process relays and folds."""
    stands_by: bool = field(default=False, init=False)
    """Whether another one does, and this one watches it."""
    _watched_since: float | None = field(default=None, init=False)

    async def take(self) -> None:
        """Returns when it is this process's turn: at once where it was so before, or nobody shows itself."""
        while not await self._taken():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(LOOK_SECONDS)
        self.mine, self.stands_by = True, False
        telemetry.NODE_TURN.set(1)
        log.info("turn.taken", holder=self.holder)

    async def _taken(self) -> bool:
        try:
            taken = await self.store.take_turn(self.holder, self._patience())
        except StoreUnavailable as error:
            self.stands_by, self._watched_since = False, None
            log.warning("database.unavailable", error=str(error))
            return False
        self.stands_by = not taken
        self._watched_since = self._watched_since or monotonic()
        return taken

    def _patience(self) -> float:
        """How old a sign of life may be: while the database was away nobody could show itself."""
        watched = monotonic() - self._watched_since if self._watched_since is not None else 0
        return self.silence_seconds if watched >= self.silence_seconds else _FOR_EVER

    async def keep(self) -> None:
        """Shows that this process is there until it is cancelled, and then lets another go on.

        Raises ``StoodDown`` where another one has taken over.
        """
        try:
            while True:
                await self._show()
                await asyncio.sleep(self.sign_of_life_seconds)
        finally:
            await self._lay_down()

    async def _show(self) -> None:
        try:
            kept = await self.store.keep_turn(self.holder)
        except StoreUnavailable as error:
            log.warning("database.unavailable", error=str(error))
        else:
            if not kept:
                raise StoodDown("another process relays and folds for this member now")

    async def _lay_down(self) -> None:
        with suppress(StoreUnavailable, TimeoutError):
            await asyncio.wait_for(self.store.lay_down_turn(self.holder), LAY_DOWN_SECONDS)
