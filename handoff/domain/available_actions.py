"""Actions on a referral: the commands that `decide` would accept from a member now, with the codes that it may use.

They are found by judging one candidate event for each command and code, so there is no second copy of the rules.
Commands that create something, such as a request that redirects this referral, are not among them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import cast
from uuid import UUID

from handoff.domain.case import Situation
from handoff.domain.commands import ReferralCommand
from handoff.domain.decide import unreadable
from handoff.domain.judge import objection
from handoff.domain.lifecycle import role_of, transition_for
from handoff.domain.rules import rules_in_force
from handoff.record.envelope import EXCHANGE, Source, compose
from handoff.record.events.base import ReferralBody

_NO_ID = UUID(int=0)
_ANY_TIME = datetime(2199, 1, 1, tzinfo=UTC)
"""Time in a candidate's required time fields: a rule that depends on one has to be asked with the real command."""


@dataclass(frozen=True, slots=True)
class Action:
    """A command that the rules allow now. ``codes``: required coded field → the codes that are allowed in it."""

    command: type[ReferralCommand]
    codes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Body of an event with one of the codes that its command's coded field may have; None without such a field."""

    body: ReferralBody
    code: str | None = None


def available_actions(known: Situation, referral: UUID, me: Source, now: datetime) -> tuple[Action, ...]:
    """Return the actions of ``me`` on ``referral``. ``known`` is the optimistic state that `decide` would use."""
    return tuple(_actions(known, referral, me, now))


def coded_field(command: type[ReferralCommand]) -> str | None:
    """Return the name of the command's required field that has a closed list of codes; None if it has none."""
    required = (name for name, field in command.model_fields.items() if field.is_required())
    return next((name for name in required if _vocabulary(command, name) is not None), None)


def _actions(known: Situation, referral: UUID, me: Source, now: datetime) -> Iterator[Action]:
    current = known.case.referrals.get(referral) if known.case is not None else None
    if known.case is None or current is None:
        return
    transitions = rules_in_force(known.directory).transitions
    role = role_of(me.member, current, EXCHANGE)
    for command, field, candidates in _catalogue():
        allowed: list[Candidate] = []
        for candidate in candidates:
            # Most candidates have no row; without this, each would be composed and judged.
            if transition_for(transitions, candidate.body, role, current) is None:
                continue
            body = candidate.body.model_copy(update={"referral": referral})
            event = compose(id=_NO_ID, source=me, subject=known.case.id, time=now, body=body)
            if objection(known, event, now) is None and unreadable(known, event) is None:
                allowed.append(candidate)
        if allowed:
            codes = tuple(candidate.code for candidate in allowed if candidate.code is not None)
            yield Action(command, {field: codes} if field is not None else {})


@cache
def _catalogue() -> tuple[tuple[type[ReferralCommand], str | None, tuple[Candidate, ...]], ...]:
    return tuple(
        (command, coded_field(command), tuple(_candidates(command))) for command in ReferralCommand.__subclasses__()
    )


def _candidates(command: type[ReferralCommand]) -> Iterator[Candidate]:
    field = coded_field(command)
    required = {name for name, info in command.model_fields.items() if info.is_required()}
    makes = cast("type[ReferralBody]", command.makes)
    others = {"referral": _NO_ID} | dict.fromkeys(required - {field}, _ANY_TIME)
    if field is None:
        yield Candidate(makes.model_validate(others))
        return
    for code in _vocabulary(command, field) or ():
        yield Candidate(makes.model_validate(others | {field: code}), code.value)


def _vocabulary(command: type[ReferralCommand], field: str) -> type[StrEnum] | None:
    annotation = command.model_fields[field].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, StrEnum) else None
