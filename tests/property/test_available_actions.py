"""The actions of a referral are those that `decide` accepts: every listed one, and no other."""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from itertools import count
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.domain.available_actions import available_actions, coded_field
from handoff.domain.commands import ExtendPlaceHold, ReferralCommand
from handoff.domain.decide import About, Refusal, decide
from tests.property.programs import REFERRALS, Move, beginnings, many_moves, played
from tests.support.dsl import spec
from tests.support.dsl.spec import CASE, HOUR, MINUTE, Record, Sent, nth_id


def commands(record: Record) -> Iterator[tuple[ReferralCommand, str | None]]:
    """Every command on a referral under every code of its coded field, with that code."""
    for command in ReferralCommand.__subclasses__():
        if command.__module__ != ReferralCommand.__module__:
            continue
        field = coded_field(command)
        terms = {"place_held_until": record.now + HOUR} if command is ExtendPlaceHold else {}
        if field is None:
            yield command(**terms), None
            continue
        vocabulary = command.model_fields[field].annotation
        assert isinstance(vocabulary, type)
        assert issubclass(vocabulary, StrEnum)
        yield from ((command(**{field: code}, **terms), code.value) for code in vocabulary)


def listed(record: Record, member: str, referral: UUID, later: timedelta) -> set[tuple[str, str | None]]:
    """Name of the command and code of each action."""
    actions = available_actions(spec.side(member, record).known, referral, spec.source(member), record.now + later)
    return {
        (action.command.__name__, code) for action in actions for code in (next(iter(action.codes.values()), (None,)))
    }


@given(
    beginning=beginnings,
    moves=many_moves,
    member=st.sampled_from(spec.MEMBERS),
    referral=st.sampled_from((*REFERRALS, nth_id(99))),
    later=st.sampled_from((MINUTE, 31 * spec.DAY)),
)
@settings(max_examples=200)
def test_the_listed_actions_are_those_that_decide_accepts(
    *, beginning: tuple[Sent, ...], moves: list[Move], member: str, referral: UUID, later: timedelta
) -> None:
    """Listed and accepted are the same set, in every state, for every member, before and after the basis expired."""
    record = played(moves, beginning)
    known, numbers = spec.side(member, record).known, count(7000)
    accepted = {
        (type(command).__name__, code)
        for command, code in commands(record)
        if not isinstance(
            decide(
                known,
                command,
                About(CASE, referral),
                me=spec.source(member),
                now=record.now + later,
                new_id=lambda: nth_id(next(numbers)),
            ),
            Refusal,
        )
    }
    assert listed(record, member, referral, later) == accepted


def test_a_shelter_that_was_asked_may_answer_under_the_codes_of_its_service() -> None:
    """The list names what a target can do with a request, and nothing of its source."""
    record = spec.given(spec.requested()).record
    names = {name for name, _ in listed(record, spec.SHELTER, spec.REFERRAL, MINUTE)}
    assert names == {"AcceptReferral", "RejectReferral", "OpenReferral", "VoidReferral"}
    assert {code for name, code in listed(record, spec.SHELTER, spec.REFERRAL, MINUTE) if name == "VoidReferral"} == {
        "misdirected"
    }
