"""Entries that a truncated record is restored with, and their order."""

import pytest

from handoff.operations.restore import NotRestorable, RecordLosses, merge_in_order
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message


def entry(name: str, at: int, offset: int = -1) -> KafkaRecord:
    return KafkaRecord(offset, at, Message(b"case", name.encode()))


def names(entries: object) -> str:
    assert isinstance(entries, tuple)
    return "".join((e.message.value or b"").decode() for e in entries)


def losses(**found: object) -> RecordLosses:
    nothing: dict[str, object] = {"appended_since": (), "only_on_timeline": (), "only_in_inboxes": ()}
    return RecordLosses(**{"size": 4, "largest_head": 3, "routed": 4, "agrees_up_to": 4, **nothing, **found})  # type: ignore[arg-type] # a test's shorthand


def test_entries_of_several_inboxes_are_merged_once_and_in_order() -> None:
    strands = [[entry("a", 1), entry("c", 5), entry("e", 9)], [entry("b", 2), entry("c", 5), entry("d", 5)]]
    assert names(tuple(merge_in_order(strands))) == "abcde"


def test_within_one_millisecond_an_inbox_keeps_its_order() -> None:
    forth, back = [entry("x", 5), entry("y", 5)], [entry("y", 5), entry("x", 5)]
    assert (names(tuple(merge_in_order([forth]))), names(tuple(merge_in_order([back])))) == ("xy", "yx")


def test_inboxes_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(NotRestorable):
        list(merge_in_order([[entry("x", 5), entry("y", 5)], [entry("y", 5), entry("x", 5)]]))


def test_existing_entries_precede_new_ones_and_offsets_are_dense() -> None:
    lost = losses(
        only_on_timeline=(entry("s", 1, 4),), only_in_inboxes=(entry("h", 2),), appended_since=(entry("n", 3, 4),)
    )
    assert names(lost.end) == "shn"
    assert [e.offset for e in lost.end] == [4, 5, 6]
    assert lost.routed_at_most == 6, "what came since is looked at again"


def test_a_record_that_grew_is_whole_and_one_below_its_signed_head_is_not() -> None:
    assert losses(appended_since=(entry("n", 3, 4),), size=5).is_whole
    assert not losses(largest_head=5).is_whole
    assert not losses(routed=5).is_whole, "the exchange would wait for an entry that is gone"
    assert not losses(only_in_inboxes=(entry("h", 2),)).is_whole
