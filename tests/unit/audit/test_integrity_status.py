"""The integrity status names an altered database before anything that a checkpoint covers."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from handoff.audit.pages.audit_site import audit_site
from handoff.audit.pages.integrity_status import IntegrityStatus, integrity_status
from handoff.judging.timeline_check import TimelineDifference
from handoff.judging.verdict_statement import ComparedVerdicts, VerdictComparison
from handoff.views.replay.checkpoint_status import CheckpointStatus
from tests.support.dsl import spec
from tests.support.parts.replayed import replayed

_SITE = audit_site(ZoneInfo("UTC"))
_ALTERED = {"sq": "E ndryshuar", "sr-Latn": "Izmenjeno", "sr-Cyrl": "Измењено", "en": "Altered"}


@pytest.mark.parametrize("language", sorted(_ALTERED))
def test_an_altered_database_is_named_first(language: str) -> None:
    """In every language, with the positions; without a difference there is no such part."""
    record = spec.given(spec.requested()).record
    history = replayed(record)
    differences = (
        TimelineDifference(9, "verdict", "ineffective", "effective"),
        TimelineDifference(9, "reason", "x", None),
    )
    translation = _SITE.translation(language)
    altered = integrity_status(translation, replace(history, differences=differences), record.now)
    assert (altered[0].title, altered[0].level, "9" in altered[0].text) == (_ALTERED[language], "none", True)
    assert altered[1:] == integrity_status(translation, history, record.now)


_CHECKPOINT = CheckpointStatus(
    "small/1", 500, datetime(2026, 1, 5, 12, tzinfo=UTC), ("monitor", "police"), is_witnessed=True
)


@pytest.mark.parametrize("language", sorted(_ALTERED))
def test_nothing_is_witnessed_if_an_entry_is_not_in_the_tree(language: str) -> None:
    """The cosigners are not named in its place, and no time is proven."""
    record = spec.given(spec.requested()).record
    history, tr = replace(replayed(record), checkpoint=_CHECKPOINT), _SITE.translation(language)
    position = history.own[0].position
    honest = integrity_status(tr, history, record.now)
    assert [status.level for status in honest] == ["good", "good", "good"]
    edited = replace(history, checkpoint=replace(_CHECKPOINT, outside=frozenset({position})))
    anchored, witnessed, proven = integrity_status(tr, edited, record.now)
    assert (anchored.level, witnessed.level, proven.level) == ("part", "none", "none")
    assert str(position) in witnessed.text
    assert honest[1].text not in {witnessed.text, proven.text}


@pytest.mark.parametrize(
    ("comparison", "level"), [(VerdictComparison.DIFFERENT, "none"), (VerdictComparison.NOT_COMPARABLE, "part")]
)
@pytest.mark.parametrize("language", sorted(_ALTERED))
def test_other_verdicts_of_the_monitor_are_one_sentence(
    language: str, comparison: VerdictComparison, level: str
) -> None:
    """It is about all cases; the same verdicts need no sentence."""
    record = spec.given(spec.requested()).record
    tr, history = _SITE.translation(language), replayed(record)

    def shown(found: VerdictComparison) -> tuple[IntegrityStatus, ...]:
        checkpoint = replace(_CHECKPOINT, verdicts=ComparedVerdicts(found, 400, 1))
        return integrity_status(tr, replace(history, checkpoint=checkpoint), record.now)

    verdicts, *others = shown(comparison)
    assert (verdicts.level, "400" in verdicts.text) == (level, True)
    assert tuple(others) == shown(VerdictComparison.SAME)
