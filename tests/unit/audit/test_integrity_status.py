"""The integrity status names an altered database before anything that a checkpoint covers."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from handoff.audit.pages.audit_site import audit_site
from handoff.audit.pages.integrity_status import integrity_status
from handoff.judging.timeline_check import TimelineDifference
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
