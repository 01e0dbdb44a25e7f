"""A jurisdiction without a single command: CPU time and wake-ups of each process."""

import time

from bench.processes import KAFKA, POSTGRES, pids, used_during
from bench.race import Spread
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand

# A node connects, folds the founding and sets up its leadership first.
_SETTLE_SECONDS = 10.0
_BUSY = ("exchange", "projection", "monitor", "audit", KAFKA, POSTGRES)


def idle(stand: Stand, sizes: Sizes) -> Chapter:
    """CPU time of an installation without users: polls, heartbeats and checkpoints."""
    with stand.trial() as trial:
        time.sleep(_SETTLE_SECONDS)
        found = dict(used_during(sizes.idle_seconds, pids(trial)))
    seconds = sizes.idle_seconds
    stand.progress(f"{sum(one.cpu_seconds for one in found.values()) / seconds * 1000:,.0f} ms of CPU a second")
    others = [one for name, one in found.items() if name not in _BUSY]
    findings = [
        Measurement(f"Idle: {name}", _single(found[name].cpu_seconds / seconds * 1000), "ms/s") for name in _BUSY
    ]
    findings += [
        Measurement("Idle: each node", Spread.of([o.cpu_seconds / seconds * 1000 for o in others]), "ms/s"),
        Measurement("Idle: wake-ups of each node", Spread.of([o.waits / seconds for o in others]), "a second"),
        Measurement(
            "Idle: the whole installation",
            _single(sum(one.cpu_seconds for one in found.values()) / seconds * 1000),
            "ms/s",
            Aim(150, at_most=True),
        ),
    ]
    return Chapter("idle", "Idle", findings)


def _single(value: float) -> Spread:
    return Spread(value, value, value)
