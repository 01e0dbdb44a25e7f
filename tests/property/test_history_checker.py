"""Two readings of one record: the product's rules, and the history checker's own, which share no code."""

from dataclasses import astuple

from hypothesis import given, settings
from msgspec import structs

from handoff.domain.case import Referral, Step
from handoff.record.codec import encode
from history_checker import world
from tests.property.programs import Move, beginnings, many_moves, played
from tests.support.dsl import spec
from tests.support.dsl.spec import Said
from tests.support.parts.checked_record import founding_length, read_again

_COMPARED = (
    "id", "source", "target", "service", "urgency", "state", "code", "delivered_at", "opened_at", "answered_at",
    "requested_at", "since", "started_at", "closed_at", "paused_at", "cancellation_asked_at", "next", "disclosure_open",
)  # fmt: skip


def _as_seen(referral: Referral | world.Referral) -> tuple[str, ...]:
    return tuple(str(getattr(referral, name)) for name in _COMPARED)


def _steps(referral: Referral | world.Referral) -> list[tuple[object, ...]]:
    return sorted(structs.astuple(s) if isinstance(s, Step) else astuple(s) for s in referral.steps)


@given(beginning=beginnings, moves=many_moves)
@settings(max_examples=150)
def test_the_checker_judges_routes_and_folds_as_the_product_does(
    beginning: tuple[Said, ...], moves: list[Move]
) -> None:
    """Whatever is said, by whomever: same verdicts with the same reasons, same inboxes, same states and deadlines."""
    record, start = played(moves, beginning), founding_length()
    history = read_again(record)
    for entry, judged in zip(record.entries, history.judged[start:], strict=True):
        assert (entry.verdict.kind, entry.verdict.reason) == (judged.outcome, judged.reason), entry.event
    for member in spec.MEMBERS:
        told = [encode(entry.event) for entry in record.entries if member in entry.recipients]
        read = [judged.entry.value for judged in history.inboxes[member] if judged.entry.offset >= start]
        assert told == read, member
    for case in record.cases.values():
        for referral in case.referrals.values():
            own = history.world.cases[str(case.id)].referrals[str(referral.id)]
            assert _as_seen(own) == _as_seen(referral)
            assert _steps(own) == _steps(referral)
