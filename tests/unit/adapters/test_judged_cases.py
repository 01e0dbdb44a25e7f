"""The cache of judged cases is by the exact rows, and bounded."""

from dataclasses import replace

from handoff.adapters.postgres.judged_cases import JudgedCase, JudgedCases
from handoff.domain.directory import Directory
from handoff.judging.timeline_check import TimelineRecord
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, GENERATION, JURISDICTION, nth_id
from tests.support.dsl.judged import GENESIS_HASH, timeline_records

_EMPTY = Directory(JURISDICTION, GENERATION)
ROWS = timeline_records(spec.given(spec.requested()).record)


def _as_it_is(row: TimelineRecord) -> TimelineRecord:
    return row


def _judged(cache: JudgedCases, rows: list[TimelineRecord], number: int = 0) -> JudgedCase:
    case = nth_id(number) if number else CASE
    return cache.judged(case, rows, _as_it_is, GENESIS_HASH, _EMPTY)


def test_the_same_rows_give_the_same_history_object() -> None:
    """Nothing is folded again, and computed properties of the history are kept."""
    cache = JudgedCases()
    first = _judged(cache, ROWS).shown(None, ())
    assert _judged(cache, list(ROWS)).shown(None, ()) is first


def test_an_edited_row_is_not_answered_from_the_cache() -> None:
    cache = JudgedCases()
    honest = _judged(cache, ROWS).shown(None, ())
    edited = [*ROWS[:-1], replace(ROWS[-1], leaf=bytes(32))]
    assert [one.column for one in _judged(cache, edited).shown(None, ()).differences] == ["leaf"]
    assert _judged(cache, ROWS).shown(None, ()) == honest


def test_a_judged_row_that_is_hidden_later_is_missing() -> None:
    """Also the last one of the case, which breaks no chain; once it is back, nothing differs."""
    cache = JudgedCases()
    honest = _judged(cache, ROWS).shown(None, ())
    for hidden in (ROWS[-1], ROWS[-2]):
        rows = [row for row in ROWS if row is not hidden]
        differences = _judged(cache, rows).shown(None, ()).differences
        assert (hidden.kafka.offset, "entry") in {(one.position, one.column) for one in differences}
    assert _judged(cache, ROWS).shown(None, ()) == honest


def test_later_rows_continue_from_the_judged_ones() -> None:
    """The result is that of judging all rows together."""
    cache = JudgedCases()
    kept = _judged(cache, ROWS[:-1])
    assert _judged(cache, ROWS) is kept
    assert kept.shown(None, ()) == _judged(JudgedCases(), ROWS).shown(None, ())


def test_the_cases_not_read_for_longest_leave_the_cache() -> None:
    """The bound is in rows, so a long case takes the place of many short ones; the case at hand is always kept."""
    cache = JudgedCases(most_rows=2 * len(ROWS))
    first, second = _judged(cache, ROWS, 1), _judged(cache, ROWS, 2)
    assert _judged(cache, ROWS, 1) is first
    _judged(cache, ROWS, 3)
    assert _judged(cache, ROWS, 1) is first
    assert _judged(cache, ROWS, 2) is not second
    small = JudgedCases(most_rows=1)
    assert _judged(small, ROWS, 1) is _judged(small, ROWS, 1)
