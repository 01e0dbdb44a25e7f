"""A race: contestants alternate, round by round, so that load on the machine affects all of them."""

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
    """A contestant ended without an outcome; the message holds the end of its output."""


@dataclass(frozen=True)
class Spread:
    """Median, minimum and maximum of some figures."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        return cls(statistics.median(figures), min(figures), max(figures))


@dataclass(frozen=True)
class Standings:
    """The outcomes of every contestant, round by round."""

    outcomes: Mapping[str, Sequence[Outcome]]

    def rate(self, name: str) -> Spread:
        """Entries per second of a contestant."""
        return Spread.of([outcome.rate for outcome in self.outcomes[name]])

    def ratio(self, name: str, to: str) -> Spread:
        """Rate of a contestant divided by the rate of ``to``, within each round."""
        pairs = zip(self.outcomes[name], self.outcomes[to], strict=True)
        return Spread.of([own.rate / other.rate for own, other in pairs])


def race(contestants: Sequence[str], rounds: int, prepare: Callable[[str], Job], progress: Progress) -> Standings:
    """Run each contestant once in each round, with the job that ``prepare`` returns. Raises ContestantFailed."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contestants}
    for number in range(1, rounds + 1):
        for name in contestants:
            outcome = run(name, prepare(name))
            outcomes[name].append(outcome)
            progress(f"round {number}: {name} {outcome.rate:,.0f}/s, {outcome.cpu_us:.0f} µs of CPU each")
    return Standings(outcomes)


def run(name: str, job: Job) -> Outcome:
    """Run the contestant in ``bench/contestants/<name>.py`` once, as a separate process."""
    argv = (sys.executable, "-m", f"bench.contestants.{name}")
    done = subprocess.run(
        argv, input=json.dumps(asdict(job)), capture_output=True, text=True, check=False, timeout=_LONGEST_SECONDS
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise ContestantFailed(f"{name}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return Outcome(**json.loads(lines[-1]))
