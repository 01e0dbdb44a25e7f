"""Rule by which a standby projection suspects the leader: a timeline that lags, or a checkpoint that is overdue."""

from datetime import UTC, datetime

import pytest

from handoff.leadership import Leader
from handoff.projection.stall_detector import StallDetector, TimelineProgress

DUE_MS = 600_000


class Observed:
    """A detector with ten minutes' cadence and five seconds' patience, and the time at which it observes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.detector = StallDetector(600, 5, lambda: datetime.fromtimestamp(self.now, UTC), lambda: self.now)

    def suspects(self, epoch: int, due_ms: int, now: float, *, next_offset: int = 9, record_end: int = 9) -> bool:
        self.now = now
        return self.detector.suspects(Leader(epoch, None, TimelineProgress(next_offset, record_end, due_ms)))


@pytest.fixture
def observed() -> Observed:
    """The leader of epoch 1 was observed when it published its checkpoint."""
    started = Observed()
    assert not started.suspects(1, DUE_MS, 600)
    return started


def test_a_leader_that_keeps_its_cadence_is_not_suspected(observed: Observed) -> None:
    """Between two checkpoints a record that rests shows no progress."""
    assert not observed.suspects(1, DUE_MS, 1199)
    assert not observed.suspects(1, 2 * DUE_MS, 1206)


def test_a_leader_whose_checkpoint_is_overdue_is_suspected_after_the_patience(observed: Observed) -> None:
    """The patience runs from the time at which the next checkpoint was due."""
    assert not observed.suspects(1, DUE_MS, 1205)
    assert observed.suspects(1, DUE_MS, 1206)


def test_a_leader_that_has_just_taken_over_has_the_whole_patience(observed: Observed) -> None:
    """Two standbys do not take over from each other in turn."""
    assert not observed.suspects(2, DUE_MS, 1206)
    assert not observed.suspects(2, DUE_MS, 1210.9)
    assert observed.suspects(2, DUE_MS, 1212)


def test_a_leader_without_a_checkpoint_is_not_suspected() -> None:
    """An empty record has no checkpoint."""
    observed = Observed()
    assert not any(observed.suspects(1, 0, now) for now in (0, 1e6))


def test_a_timeline_that_lags_without_moving_is_suspected_after_the_patience(observed: Observed) -> None:
    assert not observed.suspects(1, DUE_MS, 610, next_offset=9, record_end=12)
    assert not observed.suspects(1, DUE_MS, 614.9, next_offset=9, record_end=13)
    assert observed.suspects(1, DUE_MS, 615, next_offset=9, record_end=13)


def test_a_timeline_that_lags_and_moves_is_not_suspected(observed: Observed) -> None:
    for second in range(20):
        assert not observed.suspects(1, DUE_MS, 610 + second, next_offset=9 + second, record_end=100)


def test_a_timeline_that_reached_the_end_has_the_whole_patience_again(observed: Observed) -> None:
    """A record that rests for an hour does not make the first entry after it look overdue."""
    assert not observed.suspects(1, DUE_MS, 610, next_offset=12, record_end=12)
    assert not observed.suspects(1, DUE_MS, 1100, next_offset=12, record_end=13)
    assert observed.suspects(1, DUE_MS, 1105, next_offset=12, record_end=13)
