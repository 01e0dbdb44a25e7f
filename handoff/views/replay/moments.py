"""Parsing of moments as auditors write them."""

from datetime import UTC, datetime

from handoff.views.replay.refused import QuestionRefused


def moment_of(text: str, now: datetime, field: str = "as_of") -> datetime:
    """Parse ``text`` as a moment in UTC, at most ``now``. Raises ``QuestionRefused``."""
    if text == "now":
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QuestionRefused(field, f"{text!r} is not a time: write it as 2026-01-05T23:40:00+01:00, or now") from None
    if moment.tzinfo is None:
        raise QuestionRefused(field, f"{text!r} has no zone: write it as 2026-01-05T23:40:00+01:00")
    if moment > now:
        raise QuestionRefused(field, f"{text!r} is in the future")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # Systems write their empty date so, with their own offset.
        raise QuestionRefused(field, f"{text!r} is before the year 1 in UTC") from None
