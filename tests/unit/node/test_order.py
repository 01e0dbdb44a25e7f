"""The inbox's dense sequence: what comes again is harmless, and what is missing shows."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.inbox.intake import InboxGap, in_order
from handoff.record.delivery import EFFECTIVE, Delivery
from handoff.record.message import Message
from handoff.wakeup import Wakeup
from tests.support.dsl.builders import T0


def entries(sequences: list[int]) -> list[InboxEntry]:
    return [InboxEntry(n, Delivery(n, T0, EFFECTIVE, Message(None, None))) for n in sequences]


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(0, 5))
def test_each_entry_is_taken_once_and_in_order_or_the_gap_is_found(starts: list[int], last: int) -> None:
    """Any number of senders that each begin somewhere and send on without leaving anything out."""
    sent = [n for start in starts for n in range(start + 1, 8)]
    reached, has_gap = last, False
    for sequence in sent:
        has_gap = has_gap or sequence > reached + 1
        reached = sequence if sequence == reached + 1 else reached
    if has_gap:
        with pytest.raises(InboxGap):
            in_order(entries(sent), last)
    else:
        taken = [entry.delivery.sequence for entry in in_order(entries(sent), last)]
        assert taken == list(range(last + 1, reached + 1))


async def test_no_notification_is_missed_between_subscribing_and_waiting() -> None:
    bell = Wakeup()
    changed = bell.subscribe()
    bell.notify()
    async with asyncio.timeout(1):
        await changed.wait(60)


async def test_waiting_for_a_notification_times_out() -> None:
    await Wakeup().subscribe().wait(0.01)
