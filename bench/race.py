"""A race: contestants alternate, round by round, so that load on the machine affects all of them."""

import json
import statistics
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO

from bench.contest import Job, Outcome

Progress = Callable[[str], None]
_LONGEST_SECONDS = 1800
_KEPT_LINES = 100


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

    def spread(self, name: str, figure: Callable[[Outcome], float]) -> Spread:
        """A figure of a contestant."""
        return Spread.of([figure(outcome) for outcome in self.outcomes[name]])

    def cpu_ratio(self, name: str, to: str) -> Spread:
        """CPU time of a contestant, its children and its database for an entry, divided by that of ``to``."""
        pairs = zip(self.outcomes[name], self.outcomes[to], strict=True)
        return Spread.of([own.whole_us / other.whole_us for own, other in pairs])

    def ratio(self, name: str, to: str) -> Spread:
        """Rate of a contestant divided by the rate of ``to``, within each round."""
        pairs = zip(self.outcomes[name], self.outcomes[to], strict=True)
        return Spread.of([own.rate / other.rate for own, other in pairs])


def race(contestants: Sequence[str], rounds: int, prepare: Callable[[str], Job], progress: Progress) -> Standings:
    """Run each contestant once in each round, with the job that ``prepare`` returns. Raises ContestantFailed."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in contestants}
    for number in range(1, rounds + 1):
        for name in contestants:
            outcome = run(name, prepare(name), progress)
            outcomes[name].append(outcome)
            progress(
                f"round {number}: {name} {outcome.rate:,.0f}/s; µs of CPU each: {outcome.cpu_us:.0f} process, "
                f"{outcome.child_us:.0f} children, {outcome.database_us:.0f} database"
            )
    return Standings(outcomes)


def run(name: str, job: Job, progress: Progress | None = None) -> Outcome:
    """Run the contestant in ``bench/contestants/<name>.py`` once, as a separate process.

    Its standard error is passed on line by line: what its watchdog reports is visible while it runs. Raises
    ContestantFailed.
    """
    say = progress or (lambda line: print(f"         {line}", file=sys.stderr, flush=True))
    argv = (sys.executable, "-m", f"bench.contestants.{name}")
    last: deque[str] = deque(maxlen=_KEPT_LINES)

    def pass_on(stream: IO[str]) -> None:
        for line in stream:
            last.append(line)
            say(f"{name}: {line.rstrip()}")

    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("the contestant has no pipes")
        reader = threading.Thread(target=pass_on, args=(process.stderr,), daemon=True)
        reader.start()
        deadline = threading.Timer(_LONGEST_SECONDS, process.kill)
        deadline.start()
        try:
            json.dump(asdict(job), process.stdin)
            process.stdin.close()
            output = process.stdout.read()
            code = process.wait()
        finally:
            deadline.cancel()
            process.kill()
        reader.join()
    lines = output.strip().splitlines()
    if code != 0 or not lines:
        raise ContestantFailed(f"{name}: exit code {code}\n{output[-2000:]}\n{''.join(last)}")
    return Outcome(**json.loads(lines[-1]))
