"""The pauses of a back-off, and what is retried."""

import pytest

from handoff.backoff import Backoff, retry


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(0.1, 0.5, fraction=lambda: 0.0)
    assert [backoff.pause() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_jitter_shortens_a_pause_by_up_to_a_half() -> None:
    fractions = iter((0.5, 0.99, 0.0))
    backoff = Backoff(1.0, 8.0, fraction=lambda: next(fractions))
    assert [backoff.pause() for _ in range(3)] == pytest.approx([0.75, 1.01, 4.0])


def test_two_processes_that_fail_at_the_same_time_come_back_at_different_times() -> None:
    first, second = Backoff(), Backoff()
    assert [first.pause() for _ in range(8)] != [second.pause() for _ in range(8)]


def test_after_a_success_the_first_pause_comes_again() -> None:
    backoff = Backoff(0.1, 0.5, fraction=lambda: 0.0)
    backoff.pause()
    backoff.reset()
    assert backoff.pause() == 0.1


async def test_transient_errors_are_reported_and_retried() -> None:
    outcomes = iter((OSError("first"), OSError("second"), "done"))
    reported: list[str] = []

    async def action() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    backoff = Backoff(0.0, 0.0)
    result = await retry(action, lambda error: reported.append(str(error)), transient=(OSError,), backoff=backoff)
    assert (result, reported) == ("done", ["first", "second"])


@pytest.mark.parametrize("error", [LookupError(), UnicodeDecodeError("utf-8", b"", 0, 1, "")])
async def test_every_other_error_is_raised_immediately(error: Exception) -> None:
    """A ValueError is raised even where one of its classes counts as transient, as with asyncpg's DataError."""
    calls: list[Exception] = []

    async def action() -> None:
        raise error

    with pytest.raises(type(error)):
        await retry(action, calls.append, transient=(OSError, UnicodeError))
    assert calls == []
