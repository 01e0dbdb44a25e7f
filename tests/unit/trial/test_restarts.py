"""Restarts of processes that ended: the pauses grow, and each sentence names the reason."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from handoff.backoff import Backoff
from handoff.trial.child_process import SupervisedProcess
from handoff.trial.errors import TrialError
from handoff.trial.restarts import Restarts


@dataclass
class Seconds:
    """A clock that the test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class ScriptedProcess(SupervisedProcess):
    """A process that ends on the test's request, and that may refuse to start."""

    name: str
    log: Path
    starts: int = 0
    refusal: str | None = None
    _exit_code: int | None = field(default=None)

    @property
    def running(self) -> bool:
        return self._exit_code is None

    @property
    def exit_code(self) -> int | None:
        return self._exit_code

    def start(self) -> None:
        self.starts += 1
        if self.refusal is not None:
            raise TrialError(self.refusal)
        self._open_log()
        self._exit_code = None

    def end(self, exit_code: int, *lines: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.writelines(f"{line}\n" for line in lines)
        self._exit_code = exit_code


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def restarts(clock: Seconds) -> Restarts:
    return Restarts(clock, lambda: Backoff(1.0, 8.0, fraction=lambda: 0.0))


@pytest.fixture
def shelter(tmp_path: Path) -> ScriptedProcess:
    return ScriptedProcess("shelter", tmp_path / "shelter.log")


def test_a_running_process_is_left_alone(restarts: Restarts, shelter: ScriptedProcess) -> None:
    assert list(restarts.check([shelter])) == []
    assert shelter.starts == 0


def test_an_end_is_reported_once_with_its_reason(restarts: Restarts, clock: Seconds, shelter: ScriptedProcess) -> None:
    shelter.end(2, "kafka.username: Field required")
    [sentence] = restarts.check([shelter])
    assert sentence.startswith(
        "shelter ended with exit code 2; the last problem in its log: kafka.username: Field required."
    )
    assert "again in 1.0 s" in sentence
    assert str(shelter.log) in sentence
    clock.now = 0.9
    assert list(restarts.check([shelter])) == []
    clock.now = 1.0
    assert list(restarts.check([shelter])) == ["shelter is started again."]
    assert shelter.running


def test_a_process_that_keeps_ending_is_started_less_and_less_often(
    restarts: Restarts, clock: Seconds, shelter: ScriptedProcess
) -> None:
    started: list[float] = []
    while clock.now < 40:
        before = shelter.starts
        list(restarts.check([shelter]))
        if shelter.starts > before:
            started.append(clock.now)
        shelter.end(1)
        clock.now += 0.5
    pauses = [later - earlier for earlier, later in pairwise(started)]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 8.0


def test_a_long_run_starts_with_the_first_pause_again(
    restarts: Restarts, clock: Seconds, shelter: ScriptedProcess
) -> None:
    for _ in range(3):
        shelter.end(1)
        list(restarts.check([shelter]))
        clock.now += 8
        list(restarts.check([shelter]))
    assert shelter.running
    clock.now += 9
    shelter.end(1)
    [sentence] = restarts.check([shelter])
    assert "again in 1.0 s" in sentence


def test_a_start_that_fails_is_reported_and_repeated(
    restarts: Restarts, clock: Seconds, shelter: ScriptedProcess
) -> None:
    shelter.end(1)
    list(restarts.check([shelter]))
    shelter.refusal = "no such program"
    clock.now = 1.0
    [sentence] = restarts.check([shelter])
    assert "shelter could not be started: no such program" in sentence
    assert "again in 2.0 s" in sentence
    shelter.refusal = None
    clock.now = 3.0
    assert list(restarts.check([shelter])) == ["shelter is started again."]


def test_a_process_that_was_started_by_hand_is_not_started_twice(
    restarts: Restarts, clock: Seconds, shelter: ScriptedProcess
) -> None:
    shelter.end(1)
    list(restarts.check([shelter]))
    shelter.start()
    clock.now = 5.0
    assert list(restarts.check([shelter])) == []
    assert shelter.starts == 1


def test_the_reason_is_from_the_log_of_this_run(restarts: Restarts, clock: Seconds, shelter: ScriptedProcess) -> None:
    shelter.end(1, "ValueError: of the first run")
    list(restarts.check([shelter]))
    clock.now = 1.0
    list(restarts.check([shelter]))
    shelter.end(1)
    [sentence] = restarts.check([shelter])
    assert "first run" not in sentence
