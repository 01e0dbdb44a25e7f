"""When a standby treats the active checkpoint writer as dead."""

import pytest

from handoff.projection.stall_detector import StallDetector

DUE_MS = 600_000


@pytest.fixture
def silence() -> StallDetector:
    """Cadence of ten minutes, timeout of five seconds; epoch 1 was observed when it published."""
    heard = StallDetector(600, 5)
    assert not heard.is_too_long(1, DUE_MS, 600)
    return heard


def test_a_log_that_keeps_its_cadence_is_not_silent(silence: StallDetector) -> None:
    """Between two checkpoints there is nothing to hear."""
    assert not silence.is_too_long(1, DUE_MS, 1199)
    assert not silence.is_too_long(1, 2 * DUE_MS, 1206)


def test_a_log_that_misses_its_moment_is_silent_after_the_patience(silence: StallDetector) -> None:
    """It is given so long after the next checkpoint was due."""
    assert not silence.is_too_long(1, DUE_MS, 1205)
    assert silence.is_too_long(1, DUE_MS, 1206)


def test_whoever_has_just_taken_over_is_given_its_time(silence: StallDetector) -> None:
    """Two standbys of each other do not take over from one another endlessly."""
    assert not silence.is_too_long(2, DUE_MS, 1206)
    assert not silence.is_too_long(2, DUE_MS, 1211)
    assert silence.is_too_long(2, DUE_MS, 1212)


def test_a_log_that_never_spoke_is_not_silent() -> None:
    """An empty record has no checkpoint."""
    silence = StallDetector(600, 5)
    assert not any(silence.is_too_long(1, 0, now) for now in (0, 1e6))
