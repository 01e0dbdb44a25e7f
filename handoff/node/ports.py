"""What a node needs of the world, and what the HTTP API needs of a node: Protocols with their obligations."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from handoff.domain.case import Case
from handoff.domain.commands import Command
from handoff.domain.decide import About
from handoff.domain.directory import Directory
from handoff.node.commands.results import Backlog, CaseView, FeedEntry, ReferralRow, Stored
from handoff.node.rows import (
    Due,
    Echo,
    InboxRow,
    KeptAnswer,
    Known,
    OutboxRow,
    Park,
    Position,
    QuarantineRow,
    Refusal,
)
from handoff.record.codes import State
from handoff.record.delivery import Verdict
from handoff.record.message import Message

Clock = Callable[[], datetime]


class Side(StrEnum):
    """Which side of a referral this member is."""

    SOURCE = "source"
    TARGET = "target"


class Reception(Protocol):
    """What the HTTP API asks of a node; ``Desk`` is it. Every method may raise ``StoreUnavailable``."""

    async def submit(
        self, command: Command, about: About, *, idempotency_key: str | None = None, if_match: int | None = None
    ) -> Stored:
        """Decides and stores ``command``: when this returns, its events survive any crash and will be sent.

        ``if_match`` is the referral's ``seen`` as the caller knows it. For ``OpenCase`` the desk makes the case's id.
        Raises ``Refused``, ``PreconditionFailed`` and ``IdempotencyConflict``; then nothing was stored.
        """

    async def outcome(self, events: Sequence[UUID], within: float) -> Verdict | None:
        """What the record made of own events: effective if all are, else the first other verdict.

        Waits up to ``within`` seconds; None where not every echo is back by then. What was refused before it
        reached the record is *invalid* with the refusal's code.
        """

    async def case(self, case: UUID) -> CaseView | None:
        """The case, or None where this node knows nothing of it."""

    async def referrals(
        self, *, after: UUID | None = None, limit: int = 50, states: Sequence[State] = (), side: Side | None = None
    ) -> tuple[ReferralRow, ...]:
        """The work list: most urgent first, then the longest waiting; the page behind the referral ``after``.

        No ``states`` means all of them.
        """

    async def feed(self, after: int, limit: int) -> tuple[FeedEntry, ...]:
        """Up to ``limit`` inbox entries whose sequence is greater than ``after``, in order."""

    async def directory(self) -> Directory:
        """The jurisdiction as folded from the record."""

    async def pending(self) -> Backlog:
        """How much waits."""


class StoodDown(Exception):
    """Somebody with a newer epoch does this work now: stop at once and start anew."""


class KeyTaken(Exception):
    """An idempotency key that was free when this transaction began is not any more: do it all again."""


class Transaction(Protocol):
    """One transaction on the node's own database: all of it stands, or nothing does."""

    async def lock(self, subjects: Iterable[str]) -> None:
        """Waits until nobody else decides on or folds these subjects, and keeps them to the transaction's end."""

    async def answered(self, key_hashes: Iterable[str]) -> Sequence[KeptAnswer]:
        """What was answered under those of these idempotency keys that are taken."""

    async def remember(self, answers: Sequence[KeptAnswer]) -> None:
        """Keeps answers under their keys; waits for whoever is just taking one. Raises ``KeyTaken``."""

    async def known(self, subjects: Iterable[str]) -> Known:
        """What is kept about these subjects."""

    async def enqueue(self, rows: Iterable[OutboxRow]) -> int:
        """Puts own events into the outbox and gives how many are new: an id that is there stays as it is."""

    async def position(self, epoch: int | None) -> Position:
        """How far the inbox is folded, kept locked. Raises ``StoodDown`` where ``epoch`` is over; None is any."""

    async def keep(self, rows: Sequence[InboxRow], position: Position) -> None:
        """Keeps inbox entries, raw, and moves on; the position before was asked for in this transaction."""

    async def settle(self, echoes: Sequence[Echo]) -> None:
        """Notes what the record made of own events; an event that this outbox lost is put back as settled."""

    async def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Notes that own events never reached the record."""

    async def save_directory(self, directory: Directory, sequence: int) -> None:
        """Keeps the folded directory."""

    async def save_cases(self, cases: Mapping[UUID, tuple[Case, int]]) -> None:
        """Keeps folded cases, each with the sequence of its last change, and their lines in the work list."""

    async def park(self, parks: Iterable[Park]) -> None:
        """Sets referrals aside; the first reason stands."""

    async def quarantine(self, rows: Sequence[QuarantineRow]) -> None:
        """Keeps the coordinates of entries that cannot be read."""

    async def take_unreacted(self, limit: int) -> Sequence[UUID]:
        """Some cases that are marked for the policies; their mark is gone."""

    async def mark_unreacted(self, cases: Iterable[UUID]) -> None:
        """Marks these cases for the policies."""

    async def forget_folded(self) -> None:
        """Empties everything that is folded from the inbox; the inbox itself and the outbox stay."""

    def inbox(self) -> AsyncIterator[InboxRow]:
        """The whole kept inbox in its order."""

    async def digests(self) -> Mapping[str, str]:
        """Table of the folded state → a hash of all that it holds."""

    async def unpublished(self) -> Sequence[UUID]:
        """Own events that stand in this outbox alone."""

    async def stored(self, events: Iterable[UUID]) -> frozenset[UUID]:
        """Those of these events that stand in this outbox."""


class Store(Protocol):
    """The node's own database. Every method may raise ``StoreUnavailable``: repeat it, nothing is lost."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that is committed when it is left, and undone when an error leaves it."""

    async def directory(self) -> Directory | None:
        """The folded directory; None before the founding."""

    async def outcomes(self, events: Sequence[UUID]) -> Mapping[UUID, Verdict]:
        """What the record made of those of these own events that it has answered."""

    async def referrals(
        self, *, after: UUID | None, limit: int, states: Sequence[State], source: str | None, target: str | None
    ) -> tuple[ReferralRow, ...]:
        """A page of the work list."""

    async def feed(self, after: int, limit: int) -> tuple[FeedEntry, ...]:
        """A page of the inbox."""

    async def backlog(self, at: datetime) -> Backlog:
        """How much waits."""

    async def take_turn(self, holder: str, silence: float) -> bool:
        """Whether it is this holder's turn from now on: it was so before, or nobody showed itself that many seconds."""

    async def keep_turn(self, holder: str) -> bool:
        """Shows that the holder is there; whether it still is its turn."""

    async def lay_down_turn(self, holder: str) -> None:
        """Lets another take over at once."""

    async def begin_intake(self) -> tuple[int, Position]:
        """A new epoch for the inbox, and where it goes on."""

    async def begin_relay(self) -> int:
        """A new epoch for the relay."""

    async def pause(self, *, paused: bool) -> None:
        """Holds the relay back, or lets it go on."""

    async def due(self, epoch: int, at: datetime, limit: int) -> Sequence[Due]:
        """Own events to send now, in order; none while the operator holds the relay back. Raises ``StoodDown``.

        That is: never sent; or sent before something that has its echo, and so lost; or without one for long.
        """

    async def mark_sent(self, epoch: int, events: Sequence[UUID], at: datetime, first_delay: float) -> None:
        """Notes one acknowledged batch. Raises ``StoodDown``.

        Each is due again after ``first_delay`` seconds, four times as long after every sending, an hour at most.
        """


class Publisher(Protocol):
    """The way to this member's outgoing topic."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Sends in order and waits for every acknowledgement.

        Raises ``PublishingFailed``: any of them may have arrived; send them again, in order.
        """

    async def close(self) -> None:
        """Lets go of the connection, without waiting for anything."""


class PublishingFailed(Exception):
    """The brokers are away or did not acknowledge: send the same again, later."""
