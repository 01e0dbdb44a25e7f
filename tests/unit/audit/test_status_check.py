"""The check of the status strand alarms a difference once, and asks an unavailable database again."""

from structlog.testing import capture_logs

from handoff.audit.status_check import StatusCheck
from handoff.judging.timeline_check import TimelineDifference

_FOUND = (TimelineDifference(7, "reference", None, "a"), TimelineDifference(7, "verdict", "x", "effective"))


async def test_a_difference_is_alarmed_once() -> None:
    """It stays in the answers as long as the database has it."""
    results = [(), _FOUND, _FOUND, ()]

    async def read() -> tuple[TimelineDifference, ...]:
        return results.pop(0)

    check, alarms = StatusCheck(read), []
    for _ in range(4):
        with capture_logs() as logs:
            await check.check()
        alarms.append([(line["event"], line["positions"], line["columns"]) for line in logs])
        if len(results) in {1, 2}:
            assert check.differences == _FOUND
    assert alarms == [[], [("status_check.failed", [7], ["reference", "verdict"])], [], []]
    assert check.differences == ()
