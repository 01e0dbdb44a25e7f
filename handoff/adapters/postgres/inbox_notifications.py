"""Listener for the database's notification that the inbox grew, whichever process of the node stored the entries."""

from typing import NoReturn

import asyncpg
import structlog

from handoff import telemetry
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.backoff import Backoff, retry
from handoff.wakeup import Wakeup

log = structlog.get_logger(__name__)

CHANNEL = "inbox"
CHECK_SECONDS = 10.0
"""The longest time until a connection that was cut without a trace is noticed and replaced."""


class InboxNotifications:
    """Notifies ``folded`` whenever the inbox of the database behind ``pool`` grows."""

    def __init__(self, pool: asyncpg.Pool, folded: Wakeup, check_seconds: float = CHECK_SECONDS) -> None:
        self._pool = pool
        self._folded = folded
        self._check_seconds = check_seconds
        self._backoff = Backoff()

    async def run(self) -> None:
        """Listen until cancelled, on a connection that is replaced when it is lost."""
        await retry(self._listen, _log_retry, transient=TRANSIENT, backoff=self._backoff)

    async def _listen(self) -> NoReturn:
        lost = Wakeup()
        async with self._pool.acquire() as connection:
            try:
                ended = lost.subscribe()
                connection.add_termination_listener(lambda _connection: lost.notify())
                await connection.add_listener(CHANNEL, lambda *_notification: self._folded.notify())
                self._backoff.reset()
                # Entries that were stored before this connection listened.
                self._folded.notify()
                while True:
                    await ended.wait(self._check_seconds)
                    await connection.execute("SELECT")
            finally:
                # A connection that listens must not return to the pool.
                connection.terminate()


def _log_retry(error: Exception) -> None:
    telemetry.DATABASE_RETRIES.inc()
    log.warning("database.unavailable", error=type(error).__name__)
