"""A broker loses the record's end: the loss is detected, reported, and repaired with the runbook."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.session import MaintenanceSession
from handoff.operations.topic_copy import read_topic
from handoff.record.kafka_record import KafkaRecord
from handoff.trial.errors import TrialError
from history_checker.collector import collect_snapshot
from history_checker.report import build_report
from tests.support.parts.restartable_trial import RestartableTrial, restartable_trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]


@pytest.fixture
def kept() -> Iterator[RestartableTrial]:
    with restartable_trial() as trial:
        yield trial


def lose_the_end(kept: RestartableTrial, **lost: int) -> None:
    """Takes that many entries off the end of each topic, as a broker would that had not written them to disk."""
    with kept.stack_alone() as trial:
        operators = trial.jurisdiction.kafka, trial.jurisdiction.postgres
        session = MaintenanceSession.of(InstallationSettings(kept.directory), *operators)
        for name, number in lost.items():
            asyncio.run(_cut(session, name.replace("_", "."), number))


async def _cut(parts: MaintenanceSession, name: str, number: int) -> None:
    topic = next(topic for topic in parts.topics if topic.name == f"{parts.jurisdiction}.{name}")
    held = [entry async for entry in read_topic(parts.kafka, topic.name)]

    async def first() -> AsyncIterator[KafkaRecord]:
        for entry in held[:-number]:
            yield entry

    await parts.replace_content(topic, first())


def findings(kept: RestartableTrial) -> tuple[object, ...]:
    """Return the findings of the history checker."""
    return tuple(build_report(asyncio.run(collect_snapshot(kept.directory))).findings)


def accept(kept: RestartableTrial) -> str:
    """A referral asked for and accepted; its path."""
    case, referral = kept.ask_shelter()
    path = f"/cases/{case}/referrals/{referral}"
    kept.until_shown("shelter", path, state="requested")
    kept.send("shelter", f"{path}/acceptance")
    kept.until_shown("police", path, state="accepted")
    return path


def test_a_lost_end_comes_back_with_its_offsets_and_times(kept: RestartableTrial) -> None:
    kept.start()
    accept(kept)
    path = accept(kept)
    kept.until_settled()
    before = kept.record()
    kept.stop()
    lose_the_end(kept, record=4, in_police=2)
    with pytest.raises(TrialError, match=r"(exchange|projection) ended with exit code 3"):
        kept.start()
    kept.stop()

    with kept.stack_alone():
        code, report = kept.run_json("record", "check")
        assert (code, report["only_on_the_timeline"], report["lost_by_inboxes"]) == (1, 4, 2)
        assert kept.run_json("record", "restore") == (0, report)
        assert kept.run_json("record", "check")[0] == 0

    kept.start()
    assert kept.record()[: len(before)] == before
    kept.send("shelter", f"{path}/start", {"kind": "arrival"})
    kept.until_shown("police", path, state="in-progress")
    kept.until_settled()
    assert findings(kept) == ()


def test_entries_missing_from_the_timeline_are_restored_from_the_inboxes(kept: RestartableTrial) -> None:
    kept.start()
    accept(kept)
    kept.until_settled()
    kept.running.supervisor.kill("projection")
    path = accept(kept)
    kept.until_routed()
    before = kept.record()
    (shown,) = kept.query("projection", "timeline_next_offset")[0]
    kept.stop()
    lose_the_end(kept, record=len(before) - shown + 2)

    with kept.stack_alone():
        code, report = kept.run_json("record", "restore")
    assert (code, report["only_on_the_timeline"], report["only_in_inboxes"]) == (0, 2, len(before) - shown)

    kept.start()
    after = kept.record()[: len(before)]
    assert after[:shown] == before[:shown]
    assert {e.message for e in after[shown:]} == {e.message for e in before[shown:]}
    kept.send("shelter", f"{path}/start", {"kind": "arrival"})
    kept.until_shown("police", path, state="in-progress")
    kept.until_settled()
    assert findings(kept) == ()
