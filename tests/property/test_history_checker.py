"""The product and the history checker share no code and judge, route and fold a record alike."""

from dataclasses import astuple

from hypothesis import given, settings
from msgspec import structs

from handoff.domain.case import Referral, Step
from handoff.record.codec import encode
from history_checker import state
from tests.property.programs import Move, beginnings, many_moves, played
from tests.support.dsl import spec
from tests.support.dsl.spec import Sent
from tests.support.parts.checked_record import founding_length, history_of

_COMPARED = (
    "id", "source", "target", "service", "urgency", "state", "code", "delivered_at", "opened_at", "answered_at",
    "requested_at", "since", "started_at", "closed_at", "paused_at", "cancellation_asked_at", "next", "disclosure_open",
)  # fmt: skip


def _fields(referral: Referral | state.Referral) -> tuple[str, ...]:
    return tuple(str(getattr(referral, name)) for name in _COMPARED)


def _steps(referral: Referral | state.Referral) -> list[tuple[object, ...]]:
    return sorted(structs.astuple(s)[:5] if isinstance(s, Step) else astuple(s)[:5] for s in referral.steps)


@given(beginning=beginnings, moves=many_moves)
@settings(max_examples=150)
def test_the_checker_judges_routes_and_folds_as_the_product_does(
    beginning: tuple[Sent, ...], moves: list[Move]
) -> None:
    """Any program of events gives the same verdicts and reasons, inboxes, states and deadlines."""
    record, start = played(moves, beginning), founding_length()
    history = history_of(record)
    for entry, judged in zip(record.entries, history.judged[start:], strict=True):
        assert (entry.verdict.kind, entry.verdict.reason) == (judged.outcome, judged.reason), entry.event
    for member in spec.MEMBERS:
        routed = [encode(entry.event) for entry in record.entries if member in entry.recipients]
        checked = [judged.entry.value for judged in history.inboxes[member] if judged.entry.offset >= start]
        assert routed == checked, member
    for case in record.cases.values():
        for referral in case.referrals.values():
            own = history.state.cases[str(case.id)].referrals[str(referral.id)]
            assert _fields(own) == _fields(referral)
            assert _steps(own) == _steps(referral)
