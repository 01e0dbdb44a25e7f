"""A replay holds for whatever may happen to a record."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.views.replay.as_of import as_of
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.diff import diff
from handoff.views.replay.history import history
from handoff.views.replay.questions import QUESTIONS
from tests.property.programs import Move, beginnings, many_moves, played
from tests.support.dsl.spec import CASE, MEMBERS, Sent
from tests.support.parts.replayed import replay_entries, replayed

sealings = st.none() | st.builds(CheckpointStatus, st.just("example"), st.integers(0, 80), is_witnessed=st.booleans())


@given(beginning=beginnings, moves=many_moves)
@settings(max_examples=100)
def test_a_replay_ends_where_the_exchange_did(beginning: tuple[Sent, ...], moves: list[Move]) -> None:
    """The case that is folded from the stored verdicts is the one that was judged."""
    record = played(moves, beginning)
    assert replayed(record).case == record.case()


@given(beginning=beginnings, moves=many_moves, sealing=sealings, choice=st.integers(0, 50))
@settings(max_examples=100)
def test_a_moment_shows_what_a_record_that_ends_there_would(
    beginning: tuple[Sent, ...], moves: list[Move], sealing: CheckpointStatus | None, choice: int
) -> None:
    """No question that is asked of a moment is answered by anything that came later; none raises."""
    entries = replay_entries(played(moves, beginning))
    moment = entries[choice % len(entries)].record_time
    prefix = history(CASE, (entry for entry in entries if entry.record_time <= moment), sealing)
    whole = history(CASE, entries, sealing)
    for question in QUESTIONS.values():
        answer = question.answer(whole, moment)
        assert answer == question.answer(prefix, moment)
        assert type(answer) is question.model
        assert question.headline(answer)


@given(beginning=beginnings, moves=many_moves, choice=st.integers(0, 50))
@settings(max_examples=100)
def test_a_state_has_no_difference_from_itself_and_a_difference_leads_from_one_to_the_other(
    beginning: tuple[Sent, ...], moves: list[Move], choice: int
) -> None:
    """The entries of two differences that meet are those of the whole way."""
    replayed_case = replayed(played(moves, beginning))
    start, end = replayed_case.entries[0].at, replayed_case.entries[-1].at + timedelta(seconds=1)
    middle = replayed_case.entries[choice % len(replayed_case.entries)].at
    assert (diff(replayed_case, middle, middle).rows, diff(replayed_case, middle, middle).moved) == ((), ())
    assert (
        diff(replayed_case, start, middle).rows + diff(replayed_case, middle, end).rows
        == diff(replayed_case, start, end).rows
    )


@given(beginning=beginnings, moves=many_moves, member=st.sampled_from(MEMBERS))
@settings(max_examples=60)
def test_an_institution_s_part_of_an_answer_is_a_part_of_it(
    beginning: tuple[Sent, ...], moves: list[Move], member: str
) -> None:
    """An agency's view at a time has exactly the entries that it had sent or received by then."""
    replayed_case = replayed(played(moves, beginning))
    moment = replayed_case.entries[-1].at + timedelta(days=1)
    for question in QUESTIONS.values():
        whole = question.answer(replayed_case, moment)
        assert set(whole.of(member).rows) <= set(whole.rows)
    own = {one.position for one in replayed_case.own if one.emitter == member or member in one.recipients}
    for row in as_of(replayed_case, moment).of(member).rows:
        assert set(row.positions) == own
