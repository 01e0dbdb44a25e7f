"""A moment in a question is answered or refused, whatever date it is."""

from datetime import UTC, datetime

import pytest

from handoff.views.replay.moments import moment_of
from handoff.views.replay.refused import QuestionRefused

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+02:00", "0001-01-01T13:59:59+14:00"])
def test_a_date_before_the_first_that_utc_has_is_refused_by_name(text: str) -> None:
    """Systems write their empty date so."""
    with pytest.raises(QuestionRefused) as refused:
        moment_of(text, NOW)
    assert refused.value.field == "as_of"


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59Z"])
def test_a_date_behind_the_last_that_utc_has_is_refused_by_name(text: str) -> None:
    """It is in the future."""
    with pytest.raises(QuestionRefused) as refused:
        moment_of(text, NOW)
    assert refused.value.field == "as_of"


def test_the_first_date_that_utc_has_is_a_moment() -> None:
    """It is answered with an empty case."""
    assert moment_of("0001-01-01T02:00:00+02:00", NOW) == datetime.min.replace(tzinfo=UTC)
