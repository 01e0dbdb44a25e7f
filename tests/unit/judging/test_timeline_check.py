"""Each edit of the timeline's rows is found by computing them again from the raw records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from handoff.domain.directory import Directory
from handoff.domain.record_fold import JudgedRecord
from handoff.judging.timeline_check import (
    StrandCheck,
    TimelineDifference,
    TimelineRecord,
    all_differences,
)
from handoff.record.codes import StartKind
from handoff.record.delivery import Verdict, VerdictKind, ineffective
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, GENERATION, JURISDICTION, nth_id
from tests.support.dsl.judged import GENESIS_HASH, timeline_records
from tests.support.dsl.spec import SHELTER, Sent

Rows = Sequence[TimelineRecord]


def _rows() -> list[TimelineRecord]:
    """The rows of a directory and a case, as the projection stores them."""
    accepted = r.ReferralAccepted(referral=spec.REFERRAL)
    record = spec.given(
        spec.requested(),
        Sent(SHELTER, accepted),
        Sent(SHELTER, r.ReferralStarted(referral=spec.REFERRAL, kind=StartKind.ARRIVAL)),
    ).record
    return timeline_records(record)


@dataclass(frozen=True)
class _Checked:
    """The judged rows, and the differences of the timeline."""

    judged: tuple[JudgedRecord, ...]
    differences: tuple[TimelineDifference, ...]


def _checked(rows: Rows, *missing: int) -> _Checked:
    check = StrandCheck(GENESIS_HASH, Directory(JURISDICTION, GENERATION))
    judged = tuple(map(check.add, rows))
    return _Checked(judged, all_differences(check.differences, missing))


def test_an_unchanged_timeline_differs_nowhere() -> None:
    """The verdicts are those that the projection stored."""
    rows = _rows()
    checked = _checked(rows)
    assert checked.differences == ()
    assert [one.verdict for one in checked.judged] == [row.derived.verdict for row in rows]


_DERIVED: dict[str, object] = {
    "record_ms": 1,
    "subject": "another",
    "event_id": nth_id(99),
    "event_type": "case.read.v1",
    "emitter": "police",
    "rules": 2,
    "recipients": ("police",),
    "referral": nth_id(98),
}


@pytest.mark.parametrize("column", sorted(_DERIVED))
def test_an_edited_column_is_named(column: str) -> None:
    """The difference has the position, the column and both values, and the verdicts do not rest on it."""
    rows = _rows()
    edited = replace(rows[-1].derived, **{column: _DERIVED[column]})  # type: ignore[arg-type]
    checked = _checked([*rows[:-1], replace(rows[-1], derived=edited)])
    (difference,) = checked.differences
    assert (difference.position, difference.column) == (rows[-1].kafka.offset, column)
    value = _DERIVED[column]
    assert difference.stored == (" ".join(value) if isinstance(value, tuple) else str(value))
    assert checked.judged[-1].verdict.is_effective


@pytest.mark.parametrize("verdict", [ineffective("accepted"), Verdict(VerdictKind.DUPLICATE)])
def test_an_edited_verdict_is_computed_again(verdict: Verdict) -> None:
    rows = _rows()
    edited = replace(rows[-2], derived=replace(rows[-2].derived, verdict=verdict))
    checked = _checked([*rows[:-2], edited, rows[-1]])
    assert {one.column for one in checked.differences} <= {"verdict", "reason"}
    assert [one.verdict.is_effective for one in checked.judged[-2:]] == [True, True]


def _other_value(row: TimelineRecord) -> TimelineRecord:
    message = replace(row.kafka.message, value=(row.kafka.message.value or b"").replace(b"shelter", b"police"))
    return replace(row, kafka=replace(row.kafka, message=message))


def _other_header(row: TimelineRecord) -> TimelineRecord:
    return replace(row, kafka=replace(row.kafka, message=replace(row.kafka.message, headers=())))


def _other_append_time(row: TimelineRecord) -> TimelineRecord:
    return replace(row, kafka=replace(row.kafka, appended_ms=row.kafka.appended_ms - 1))


@pytest.mark.parametrize("edit", [_other_value, _other_header, _other_append_time])
def test_an_edited_raw_record_has_another_leaf(edit: Callable[[TimelineRecord], TimelineRecord]) -> None:
    """Only the log can say that: the leaf is under its checkpoints."""
    rows = _rows()
    checked = _checked([*rows[:-2], edit(rows[-2]), rows[-1]])
    assert (rows[-2].kafka.offset, "leaf") in {(one.position, one.column) for one in checked.differences}


def test_a_hidden_entry_breaks_the_chain_of_its_strand() -> None:
    """The next entry of the case follows one that is not there."""
    rows = _rows()
    checked = _checked([row for row in rows if row is not rows[-2]])
    found = {(one.position, one.column) for one in checked.differences}
    assert {(rows[-1].kafka.offset, "tag_sequence"), (rows[-1].kafka.offset, "previous_leaf")} <= found


def test_a_hidden_last_entry_is_an_offset_that_is_missing() -> None:
    """No later entry of the case shows it, but the timeline has every offset of the record."""
    rows = _rows()
    (difference,) = _checked(rows[:-1], rows[-1].kafka.offset).differences
    assert (difference.position, difference.column, difference.stored) == (rows[-1].kafka.offset, "entry", None)


def test_rows_of_an_incomplete_strand_are_judged_and_not_compared() -> None:
    rows = _rows()
    last = replace(rows[-1], is_of_strand=False, leaf=bytes(32))
    checked = _checked([*rows[:-1], last])
    assert checked.differences == ()
    assert checked.judged[-1].record.message.key == str(CASE).encode()
