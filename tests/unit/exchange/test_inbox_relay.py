"""The relay of an inbox: what it takes from memory, and what it reads from the queue's table."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.adapters.kafka.client import BrokerUnavailable, Sender
from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.domain.directory import Directory
from handoff.domain.own_keys import OwnKeys
from handoff.exchange import relays
from handoff.exchange.relays import InboxRelay, QueuedEntry
from handoff.record.envelope import EXCHANGE
from handoff.record.message import Message
from tests.support.dsl.builders import key_of


@dataclass
class Table:
    """The queue of one inbox in memory, in place of the database."""

    queued: list[QueuedEntry] = field(default_factory=list)
    reads: int = 0

    async def queued_deliveries(self, _member: str, limit: int) -> Sequence[QueuedEntry]:
        self.reads += 1
        return self.queued[:limit]

    async def delete_sent(self, _epoch: int, _member: str, sequence: int) -> None:
        self.queued = [entry for entry in self.queued if entry[0] > sequence]


@dataclass
class Topic:
    """The inbox's topic in memory, in place of the broker."""

    values: list[bytes | None] = field(default_factory=list)
    fails: bool = False

    async def send(self, _topic: str, messages: Sequence[Message]) -> None:
        if self.fails:
            self.fails = False
            raise BrokerUnavailable
        self.values += [message.value for message in messages]


@dataclass
class Inbox:
    """A relay with its queue, and the router that fills it."""

    table: Table = field(default_factory=Table)
    topic: Topic = field(default_factory=Topic)
    routed: int = 0

    def __post_init__(self) -> None:
        self.relay = InboxRelay(
            cast("ExchangeStore", self.table),
            cast("Sender", self.topic),
            1,
            "police",
            "in.police",
            keys=OwnKeys(EXCHANGE, key_of(EXCHANGE)),
            directory=lambda: Directory("town", 1),
        )

    def route(self, count: int, *, handed_over: bool = True) -> None:
        """Store ``count`` more entries, and hand them over unless the router failed between the two."""
        entries = [
            (number, Message(b"key", b"%d" % number), bytes(32))
            for number in range(self.routed + 1, self.routed + count + 1)
        ]
        self.routed += count
        self.table.queued += entries
        if handed_over:
            self.relay.hand_over(entries)

    async def send_all(self) -> None:
        """Send until nothing is left, as the relay's task does."""
        while True:
            try:
                if not await self.relay.send_some():
                    return
            except BrokerUnavailable:
                continue

    @property
    def expected(self) -> list[bytes]:
        return [b"%d" % number for number in range(1, self.routed + 1)]


async def test_entries_that_were_just_stored_are_not_read_back() -> None:
    """The table is read at the start alone, and after a pause with nothing to send."""
    inbox = Inbox()
    inbox.route(2)
    await inbox.send_all()
    await inbox.send_all()
    reads = inbox.table.reads
    for count in (1, relays.BATCH + 1, 3):
        inbox.route(count)
        await inbox.send_all()
    assert inbox.table.reads - reads <= 1
    assert inbox.topic.values == inbox.expected
    assert inbox.table.queued == []


@pytest.mark.parametrize("count", [1, relays.BATCH, 10_000 + 1])
async def test_entries_that_were_not_handed_over_or_forgotten_are_read_from_the_table(count: int) -> None:
    """A router that failed after its transaction leaves a gap, and a slow broker more than the memory holds."""
    inbox = Inbox()
    inbox.route(1)
    await inbox.send_all()
    inbox.route(1, handed_over=False)
    inbox.route(count)
    await inbox.send_all()
    assert inbox.topic.values == inbox.expected


async def test_a_gap_within_the_entries_in_memory_is_read_from_the_table() -> None:
    """Entries before the gap are sent first."""
    inbox = Inbox()
    inbox.route(1)
    await inbox.send_all()
    inbox.route(1)
    inbox.route(1, handed_over=False)
    inbox.route(1)
    await inbox.send_all()
    assert inbox.topic.values == inbox.expected


@given(st.lists(st.tuples(st.integers(1, 700), st.booleans(), st.booleans(), st.booleans()), max_size=8))
def test_after_any_failure_each_entry_is_sent_once_and_in_sequence(
    steps: list[tuple[int, bool, bool, bool]],
) -> None:
    """A failed send is repeated from the table."""

    async def run() -> None:
        inbox = Inbox()
        for count, handed_over, fails, sends in steps:
            inbox.route(count, handed_over=handed_over)
            inbox.topic.fails = fails
            if sends:
                await inbox.send_all()
        # A router that lost a hand-over wakes its relays after it has recovered.
        for _ in range(2):
            await inbox.send_all()
        assert inbox.topic.values == inbox.expected

    asyncio.run(run())
