"""A race: contestants take turns, round by round, so that a slow minute of the machine is everybody's."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.contest import Job, Outcome

Progress = Callable[[str], None]
_LONGEST_SECONDS = 1800


class ContestantFailed(Exception):
    """A contestant ended without an outcome; its last words say why."""


@dataclass(frozen=True)
class Spread:
    """The median of some figures, with the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        return cls(statistics.median(figures), min(figures), max(figures))


@dataclass(frozen=True)
class Standings:
    """Every contestant's outcomes, round by round."""

    outcomes: Mapping[str, Sequence[Outcome]]

    def rate(self, name: str) -> Spread:
        """Its entries a second."""
        return Spread.of([outcome.rate for outcome in self.outcomes[name]])

    def ratio(self, name: str, to: str) -> Spread:
        """How many times as fast as ``to`` it was, compared within each round."""
        pairs = zip(self.outcomes[name], self.outcomes[to], strict=True)
        return Spread.of([own.rate / other.rate for own, other in pairs])


def race(contestants: Sequence[str], rounds: int, prepare: Callable[[str], Job], progress: Progress) -> Standings:
    """Lets each contestant run once in each round, on what ``prepare`` has laid out for it. Raises ContestantFailed."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contestants}
    for number in range(1, rounds + 1):
        for name in contestants:
            outcome = run(name, prepare(name))
            outcomes[name].append(outcome)
            progress(f"round {number}: {name} {outcome.rate:,.0f}/s, {outcome.cpu_us:.0f} µs of CPU each")
    return Standings(outcomes)


def run(name: str, job: Job) -> Outcome:
    """One run of the contestant in ``bench/contestants/<name>.py``, as a process of its own."""
    argv = (sys.executable, "-m", f"bench.contestants.{name}")
    done = subprocess.run(
        argv, input=json.dumps(asdict(job)), capture_output=True, text=True, check=False, timeout=_LONGEST_SECONDS
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise ContestantFailed(f"{name} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return Outcome(**json.loads(lines[-1]))
