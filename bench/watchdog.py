"""Watchdog of a contestant: it reports the position, and ends a contestant whose position no longer moves.

Without it a peer whose consumer stopped, or whose framework restarts a failing handler, would run without end and
without output.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_STALLED = 75
_REPORT_SECONDS = 15.0
_STALLED_SECONDS = 180.0


class Watchdog:
    """Position of a contestant, watched by a thread of its own."""

    def __init__(
        self, entries: int, *, report_seconds: float = _REPORT_SECONDS, stalled_seconds: float = _STALLED_SECONDS
    ) -> None:
        self._entries = entries
        self._report_seconds = report_seconds
        self._stalled_seconds = stalled_seconds
        self._done = 0
        self._moved = self._began = time.monotonic()
        self._ended = threading.Event()

    def reached(self, done: int) -> None:
        """Note that ``done`` entries are handled."""
        if done != self._done:
            self._done, self._moved = done, time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Report to the standard error until the context ends; end the process with ``EXIT_STALLED`` after a stall."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self._report_seconds):
            now = time.monotonic()
            print(f"{self._done:,} of {self._entries:,} entries after {now - self._began:.0f} s", file=sys.stderr)
            sys.stderr.flush()
            if now - self._moved > self._stalled_seconds:
                print(f"stalled: no further entry for {now - self._moved:.0f} s. The threads are at:", file=sys.stderr)
                sys.stderr.flush()
                faulthandler.dump_traceback(all_threads=True)
                # The event loop may be blocked, and threads of the frameworks are not daemons.
                os._exit(EXIT_STALLED)
