"""A replay holds for whatever may happen to a record."""

from hypothesis import given, settings

from tests.property.programs import Move, beginnings, many_moves, played
from tests.support.replayed import replayed
from tests.support.spec import Said


@given(beginning=beginnings, moves=many_moves)
@settings(max_examples=100, deadline=None)
def test_a_replay_ends_where_the_exchange_did(beginning: tuple[Said, ...], moves: list[Move]) -> None:
    """The case that a replay folds from the stored verdicts is the one that was judged."""
    record = played(moves, beginning)
    assert replayed(record).case == record.case()
