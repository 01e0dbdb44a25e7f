"""A second version of the rules, which only tests have."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from handoff.domain import lifecycle, rules
from handoff.domain.case import Situation
from handoff.record.codes import IneffectiveReason, State
from handoff.record.envelope import Event
from handoff.record.events import case as c
from handoff.record.events import referral as r

SECOND = 2


def _too_early(_known: Situation, _event: Event[Any], _at: datetime) -> str | None:
    return IneffectiveReason.TOO_EARLY


def _second() -> rules.Rules:
    table = (replace(row, end=State.IN_PROGRESS) if row.event is r.ReferralAccepted else row for row in lifecycle.TABLE)
    return rules.Rules(SECOND, lifecycle.by_event(table), {**rules.CONDITIONS, c.CaseRead: (_too_early,)})


@contextmanager
def second_rules() -> Iterator[None]:
    """Register version 2: no read is effective any more, and an acceptance begins the service."""
    rules.VERSIONS[SECOND] = _second()
    try:
        yield
    finally:
        del rules.VERSIONS[SECOND]
