"""Moments as an auditor writes them."""

from datetime import UTC, datetime

from handoff.views.replay.refused import QuestionRefused


def moment_of(text: str, now: datetime, field: str = "as_of") -> datetime:
    """The moment in ``text``, in UTC; ``now`` is the latest that can be asked about. Raises QuestionRefused."""
    if text == "now":
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QuestionRefused(field, f"{text!r} is no time: write it as 2026-01-05T23:40:00+01:00, or now") from None
    if moment.tzinfo is None:
        raise QuestionRefused(field, f"{text!r} needs its zone, as in 2026-01-05T23:40:00+01:00")
    if moment > now:
        raise QuestionRefused(field, f"{text!r} has not come yet")
    return moment.astimezone(UTC)
