"""The watchdog of the benchmarks: a contestant that no longer moves ends with its position and its stacks."""

import subprocess
import sys

from bench.watchdog import EXIT_STALLED

_CONTESTANT = """
import sys, threading
from bench.watchdog import Watchdog

def wait_for_the_next_entry():
    threading.Event().wait()

watchdog = Watchdog(2500, report_seconds=0.01, stalled_seconds=0.05)
with watchdog.watching():
    watchdog.reached(1250)
    if sys.argv[1] == "stalls":
        wait_for_the_next_entry()
"""


def _contestant(behaviour: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", _CONTESTANT, behaviour]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_a_contestant_that_stalls_ends_with_its_position_and_its_stacks() -> None:
    ended = _contestant("stalls")

    assert ended.returncode == EXIT_STALLED
    assert "1,250 of 2,500 entries after" in ended.stderr
    assert "stalled: no further entry" in ended.stderr
    assert "in wait_for_the_next_entry" in ended.stderr


def test_a_contestant_that_finishes_is_left_alone() -> None:
    assert _contestant("finishes").returncode == 0
