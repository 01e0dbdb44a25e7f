"""A broker loses the record's end: the loss is detected, reported, and repaired with the runbook."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.session import MaintenanceSession
from handoff.operations.topic_copy import apply_copy, read_groups, read_topic
from handoff.record.kafka_record import KafkaRecord
from handoff.trial.errors import TrialError
from history_checker.collector import collect_snapshot
from history_checker.report import build_report
from tests.support.parts.restarted_trial import KeptTrial, kept_trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]


@pytest.fixture
def kept() -> Iterator[KeptTrial]:
    with kept_trial() as trial:
        yield trial


def lose_the_end(kept: KeptTrial, **lost: int) -> None:
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

    copy = parts.copy_of(topic)
    await copy.write(await read_groups(parts.kafka, parts.jurisdiction, topic), first())
    await apply_copy(parts.kafka, topic, copy)


def findings(kept: KeptTrial) -> tuple[object, ...]:
    """Return the findings of the history checker."""
    return tuple(build_report(asyncio.run(collect_snapshot(kept.directory))).findings)


def accept(kept: KeptTrial) -> str:
    """A referral asked for and accepted; its path."""
    case, referral = kept.ask_shelter()
    path = f"/cases/{case}/referrals/{referral}"
    kept.sees("shelter", path, state="requested")
    kept.say("shelter", f"{path}/acceptance")
    kept.sees("police", path, state="accepted")
    return path


def test_a_lost_end_comes_back_with_its_offsets_and_times(kept: KeptTrial) -> None:
    kept.start()
    accept(kept)
    path = accept(kept)
    kept.settled()
    before = kept.record()
    kept.stop()
    lose_the_end(kept, record=4, in_police=2)
    with pytest.raises(TrialError, match=r"(exchange|projection) ended with exit code 3"):
        kept.start()
    kept.stop()

    with kept.stack_alone():
        code, told = kept.told("record", "check")
        assert (code, told["only_on_the_timeline"], told["lost_by_inboxes"]) == (1, 4, 2)
        assert kept.told("record", "restore") == (0, told)
        assert kept.told("record", "check")[0] == 0

    kept.start()
    assert kept.record()[: len(before)] == before
    kept.say("shelter", f"{path}/start", {"kind": "arrival"})
    kept.sees("police", path, state="in-progress")
    kept.settled()
    assert findings(kept) == ()


def test_what_the_timeline_had_not_shown_comes_back_from_the_inboxes(kept: KeptTrial) -> None:
    kept.start()
    accept(kept)
    kept.settled()
    kept.running.supervisor.kill("projection")
    path = accept(kept)
    kept.routed()
    before = kept.record()
    (shown,) = kept.query("projection", "timeline_next_offset")[0]
    kept.stop()
    lose_the_end(kept, record=len(before) - shown + 2)

    with kept.stack_alone():
        code, told = kept.told("record", "restore")
    assert (code, told["only_on_the_timeline"], told["only_in_inboxes"]) == (0, 2, len(before) - shown)

    kept.start()
    after = kept.record()[: len(before)]
    assert after[:shown] == before[:shown]
    assert {e.message for e in after[shown:]} == {e.message for e in before[shown:]}
    kept.say("shelter", f"{path}/start", {"kind": "arrival"})
    kept.sees("police", path, state="in-progress")
    kept.settled()
    assert findings(kept) == ()
