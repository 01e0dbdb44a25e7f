"""The inbox's dense sequence: what comes again is harmless, and what is missing shows."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from handoff.node.inbox.intake import order_arrivals
from handoff.record.delivery import EFFECTIVE, Delivery, DeliveryFault
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.wakeup import Wakeup
from tests.support.dsl.builders import T0


def records(sequences: list[int]) -> list[KafkaRecord]:
    return [KafkaRecord(n, 0, Delivery(n, T0, EFFECTIVE, Message(None, None)).to_message()) for n in sequences]


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(0, 5))
def test_each_entry_is_taken_once_and_in_order_or_the_gap_is_found(starts: list[int], last: int) -> None:
    """Any number of senders that each begin somewhere and send on without leaving anything out."""
    sent = [n for start in starts for n in range(start + 1, 8)]
    reached, has_gap = last, False
    for sequence in sent:
        has_gap = sequence > reached + 1
        if has_gap:
            break
        reached = max(reached, sequence)
    arrivals = order_arrivals(records(sent), last)
    assert [entry.delivery.sequence for entry in arrivals.fresh] == list(range(last + 1, reached + 1))
    assert (arrivals.fault.fault if arrivals.fault else None) == (DeliveryFault.GAP if has_gap else None)


async def test_no_notification_is_missed_between_subscribing_and_waiting() -> None:
    bell = Wakeup()
    changed = bell.subscribe()
    bell.notify()
    async with asyncio.timeout(1):
        await changed.wait(60)


async def test_waiting_for_a_notification_times_out() -> None:
    await Wakeup().subscribe().wait(0.01)
