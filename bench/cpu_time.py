"""CPU time of processes: of this one's children, and of the database server's sessions."""

import os
from collections.abc import Sequence
from contextlib import suppress

import psutil


def cpu_of(pids: Sequence[int]) -> float:
    """CPU seconds of single processes, such as the sessions of one database; one that has just ended adds nothing."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            total += sum(psutil.Process(pid).cpu_times()[:2])
    return total


def cpu_of_children() -> float:
    """CPU seconds of this process's children, those that have ended included."""
    return cpu_of([child.pid for child in psutil.Process().children(recursive=True)]) + sum(os.times()[2:4])


def cpu_of_sessions(database: str) -> float:
    """CPU seconds of the database server's sessions in ``database``. Their process titles name it."""
    titles = ((process.pid, process.info["cmdline"]) for process in psutil.process_iter(["cmdline"]))
    return cpu_of([pid for pid, title in titles if title and _is_session(title[0], database)])


def _is_session(title: str, database: str) -> bool:
    return title.startswith("postgres: ") and f" {database} " in title
