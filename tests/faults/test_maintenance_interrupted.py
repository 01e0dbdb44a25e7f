"""Maintenance that ends at any point is completed by the same command, and a check changes nothing."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from handoff import clock
from handoff.operations import redaction, restore, topic_copy
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.redaction import redact
from handoff.operations.session import MaintenanceSession, NotReadyForMaintenance
from handoff.record.codes import RedactionReason
from handoff.trial.trial import Trial
from history_checker.collector import collect_snapshot
from history_checker.report import build_report
from tests.faults.test_record_restoring import accept, lose_the_end
from tests.support.parts.restartable_trial import RestartableTrial, restartable_trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

_REDACTION = (
    (topic_copy, "_fill", 3),
    (redaction, "_rewrite", 1),
    (redaction, "_rewrite", 4),
    (redaction, "_rebuild_timeline", 1),
    (redaction, "_correct_exchange", 1),
    (redaction, "_store_cases", 1),
    (redaction, "_correct_node", 1),
    (redaction, "rebuild_node", 1),
    (redaction, "_rewrite_files", 1),
)
"""Module, function and call after which the process ends."""

_RESTORE = ((restore, "append", 1), (restore, "_set_back", 1), (topic_copy, "_fill", 1), (topic_copy, "_fill", 2))


class Killed(BaseException):
    """The process ended."""


@pytest.fixture
def kept() -> Iterator[RestartableTrial]:
    with restartable_trial() as trial:
        yield trial


def _session(kept: RestartableTrial, trial: Trial) -> MaintenanceSession:
    operators = trial.jurisdiction.kafka, trial.jurisdiction.postgres
    return MaintenanceSession.of(InstallationSettings(kept.directory), *operators)


def _killed_after(action: Callable[..., Any], calls: int) -> Callable[..., Any]:
    left = calls

    async def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        result = await action(*arguments, **named)
        left -= 1
        if left == 0:
            raise Killed
        return result

    return killed


def _findings(kept: RestartableTrial) -> tuple[object, ...]:
    return tuple(build_report(asyncio.run(collect_snapshot(kept.directory))).findings)


def test_a_redaction_that_ends_at_any_point_is_completed(
    kept: RestartableTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.start()
    case, _ = kept.ask_shelter()
    people = [str(clock.new_id()) for _ in _REDACTION]
    for person in people:
        kept.send("police", f"/cases/{case}/links", {"other_case": person})
    kept.until_settled()
    before = kept.record()
    kept.order_redaction(*(e.offset for e in before if any(p.encode() in (e.message.value or b"") for p in people)))
    kept.stop()
    with kept.stack_alone() as trial:
        session = _session(kept, trial)
        for person, (module, name, calls) in zip(people, _REDACTION, strict=True):
            (offset,) = [e.offset for e in before if person.encode() in (e.message.value or b"")]
            with monkeypatch.context() as patched:
                patched.setattr(module, name, _killed_after(getattr(module, name), calls))
                with pytest.raises(Killed):
                    asyncio.run(redact(session, [offset], RedactionReason.PERSONAL_DATA, lambda *_: None))
            asyncio.run(redact(session, [offset], RedactionReason.PERSONAL_DATA, lambda *_: None))
            assert session.interrupted == ()
    kept.start()
    accept(kept)
    kept.until_settled()
    for person in people:
        for process, query in (("projection", "timeline_rows_with"), ("police", "node_rows_with")):
            assert kept.query(process, query, person.encode()) == [], process
    after = kept.record()
    assert not any(person.encode() in (e.message.value or b"") for e in after for person in people)
    assert [(e.offset, e.appended_ms) for e in after[: len(before)]] == [(e.offset, e.appended_ms) for e in before]
    assert kept.run("projection", "rebuild")[0] == 0


def test_a_restoration_that_ends_at_any_point_is_completed(
    kept: RestartableTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, calls in _RESTORE:
        kept.start()
        accept(kept)
        kept.until_settled()
        before = kept.record()
        kept.stop()
        lose_the_end(kept, record=3, in_police=2)
        with kept.stack_alone() as trial:
            session = _session(kept, trial)
            with monkeypatch.context() as patched:
                patched.setattr(module, name, _killed_after(getattr(module, name), calls))
                with pytest.raises(Killed):
                    asyncio.run(restore.restore(session))
            _check_changes_nothing(kept, session, trial)
            asyncio.run(restore.restore(session))
            assert asyncio.run(restore.losses(session)).is_whole
        kept.start()
        assert kept.record()[: len(before)] == before
        kept.until_settled()
        assert _findings(kept) == ()
        kept.stop()


def _check_changes_nothing(kept: RestartableTrial, session: MaintenanceSession, trial: Trial) -> None:
    """It reports an interrupted replacement, or the losses that remain, and leaves topics and copies as they are."""

    def state() -> list[object]:
        topics = trial.jurisdiction.kafka.client().list_topics(timeout=20).topics
        held = asyncio.run(_contents(session)) if not session.interrupted else []
        return [sorted(topics), held, sorted(map(str, session.copies.glob("*")))]

    before = state()
    if session.interrupted:
        with pytest.raises(NotReadyForMaintenance, match="was interrupted"):
            asyncio.run(restore.losses(session))
    else:
        assert not asyncio.run(restore.losses(session)).is_whole
    assert state() == before


async def _contents(session: MaintenanceSession) -> list[object]:
    return [[e async for e in topic_copy.read_topic(session.kafka, topic.name)] for topic in session.topics]
