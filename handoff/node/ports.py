"""Ports of a node, and the interface the HTTP API uses: Protocols with their obligations."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from handoff.domain.case import Case, ReferralKey
from handoff.domain.commands import Command
from handoff.domain.decide import About
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation
from handoff.domain.notices import Notice
from handoff.node.commands.results import Backlog, CaseView, FeedEntry, OpenReferrals, ReferralRow, Stored
from handoff.node.record_clock import RecordClock
from handoff.node.rows import (
    DueEvents,
    Echo,
    InboxPosition,
    InboxRow,
    KnownState,
    OutboxRow,
    ParkedReferral,
    QuarantinedEntry,
    RefusedSubmission,
    StoredAnswer,
)
from handoff.record.codes import State
from handoff.record.delivery import DeliveryFault, Verdict
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message

Clock = Callable[[], datetime]


class Side(StrEnum):
    """Side of a referral: source or target."""

    SOURCE = "source"
    TARGET = "target"


class NodeApi(Protocol):
    """Interface of a node for the HTTP API, implemented by ``Desk``. Every method may raise ``StoreUnavailable``."""

    async def submit(
        self,
        command: Command,
        about: About,
        *,
        idempotency_key: str | None = None,
        if_match: frozenset[int] | None = None,
    ) -> Stored:
        """Decide and store ``command``. On return its events survive any crash and will be published.

        ``if_match`` has the values of the referral's ``seen`` that the caller expects. For ``OpenCase`` the desk
        creates the case id.

        Raises ``Refused``, ``InvalidCommand``, ``PreconditionFailed``, ``IdempotencyConflict``; then nothing is stored.
        """

    async def outcome(self, events: Sequence[UUID], within: float) -> Verdict | None:
        """Return the verdict on own events: effective if all are, else the first other verdict.

        Waits up to ``within`` seconds; None if an echo is still missing then. An event refused before it
        reached the record is *invalid* with the refusal's code.
        """

    def now(self) -> datetime:
        """Return the time of this node's clock."""

    async def notices(self) -> tuple[Notice, ...]:
        """Return the present notices to this member about steps that it owes, the oldest first."""

    async def case(self, case: UUID) -> CaseView | None:
        """Return the case, or None if it is unknown to this node."""

    async def referrals(
        self,
        *,
        after: ReferralKey | None = None,
        limit: int = 50,
        states: Sequence[State] = (),
        side: Side | None = None,
    ) -> tuple[ReferralRow, ...]:
        """Return a page of the work list after the referral ``after``: most urgent first, then the longest waiting.

        Without ``states`` all are included.
        """

    async def feed(self, after: int, limit: int, within: float = 0) -> tuple[FeedEntry, ...]:
        """Return up to ``limit`` inbox entries with a sequence above ``after``, in order.

        Waits up to ``within`` seconds for the first of them. Raises ``CursorPastEnd``.
        """

    async def open_referrals(self) -> OpenReferrals:
        """Return this member's open referrals as of one sequence of the feed."""

    async def directory(self) -> Directory:
        """Return the directory as folded from the record."""

    async def escalations(self) -> tuple[Escalation, ...]:
        """Return the open escalations, the oldest first. Only the coordinator has any."""

    async def pending(self) -> Backlog:
        """Return the backlog."""


class KeyTaken(Exception):
    """An idempotency key was taken concurrently: retry the whole transaction."""


class Transaction(Protocol):
    """One atomic transaction on the node's database."""

    async def lock(
        self, subjects: Iterable[str], key_hashes: Iterable[str] = (), escalations: Iterable[UUID] = ()
    ) -> KnownState:
        """Lock these subjects until the end of the transaction, against concurrent decisions and folds.

        Return their state as of then, with the answers stored under those idempotency keys, and the open escalations
        among ``escalations``.
        """

    async def store_answers(self, answers: Sequence[StoredAnswer]) -> None:
        """Store answers under their keys. Waits for a concurrent writer of a key. Raises ``KeyTaken``."""

    async def known(self, subjects: Iterable[str]) -> KnownState:
        """Return the stored state of these subjects, without a lock."""

    async def enqueue(self, rows: Iterable[OutboxRow]) -> int:
        """Insert own events into the outbox. Return the number of new ones; existing ids are unchanged."""

    async def position(self, epoch: int | None) -> InboxPosition:
        """Return and lock the inbox position. None is any epoch. Raises ``LeadershipLost`` if ``epoch`` is over."""

    async def store_inbox(self, rows: Sequence[InboxRow], position: InboxPosition) -> None:
        """Store raw inbox entries and advance the position, which was read in this transaction."""

    async def inbox_rows(self, sequences: Iterable[int]) -> dict[int, InboxRow]:
        """Return sequence → stored inbox entry, for those of ``sequences`` that are stored."""

    async def store_broken(self, record: KafkaRecord, fault: DeliveryFault, at: datetime) -> None:
        """Store an inbox record that the exchange did not deliver in this form. Idempotent."""

    async def settle(self, echoes: Sequence[Echo]) -> None:
        """Store the verdicts on own events. An event missing in the outbox is restored as settled."""

    async def refuse(self, refusals: Sequence[RefusedSubmission]) -> None:
        """Mark own events as refused: they never reached the record."""

    async def mark_key_refused(self, value_hashes: Sequence[str]) -> None:
        """Mark own events without an echo whose key was not in force. They stay in the outbox for the next key."""

    async def unknown_events(self, events: Sequence[UUID]) -> Sequence[UUID]:
        """Return the ids among ``events`` that the outbox does not have."""

    async def save_clock(self, clock: RecordClock) -> None:
        """Store the measurement of the own clock."""

    async def save_directory(self, directory: Directory, sequence: int) -> None:
        """Store the folded directory."""

    async def save_escalations(self, escalations: Mapping[UUID, tuple[Escalation | None, int]]) -> None:
        """Store open escalations with the sequence of their entries; delete those that are None."""

    async def save_cases(self, cases: Mapping[UUID, tuple[Case, int]]) -> None:
        """Store folded cases, each with the sequence of its last change, and their rows of the work list."""

    async def park(self, parks: Iterable[ParkedReferral]) -> None:
        """ParkedReferral referrals. The first reason is kept."""

    async def quarantine(self, rows: Sequence[QuarantinedEntry]) -> None:
        """Store the coordinates of entries that cannot be decoded, and of held stubs."""

    async def release_stubs(self, orders: Sequence[tuple[str, str]]) -> None:
        """Delete the held stubs with these codes and value hashes: the coordinator ordered their redaction."""

    async def held_stubs(self) -> Sequence[QuarantinedEntry]:
        """Return the held stubs, in the inbox's order."""

    async def pop_unreacted(self, limit: int) -> Sequence[UUID]:
        """Return up to ``limit`` cases marked for the policies, and clear their marks."""

    async def mark_unreacted(self, cases: Iterable[UUID]) -> None:
        """Mark cases for the policies."""

    async def mark_all_unreacted(self) -> int:
        """Mark every case for the policies, and return their number."""

    async def delete_folded(self) -> None:
        """Delete the folded state. Inbox and outbox are kept."""

    def inbox(self) -> AsyncIterator[Sequence[InboxRow]]:
        """Iterate over the stored inbox in order, a batch at a time."""

    async def digests(self) -> Mapping[str, str]:
        """Return table → hash of its content, for the tables of the folded state."""

    async def unpublished(self) -> Sequence[UUID]:
        """Return own events that exist in this outbox alone."""

    async def stored(self, events: Iterable[UUID]) -> frozenset[UUID]:
        """Return those of these events that are in the outbox."""


class Store(Protocol):
    """Port to the node's database. Every method may raise ``StoreUnavailable`` and is safe to retry."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: committed on exit, rolled back on an error."""

    async def directory(self) -> Directory | None:
        """Return the folded directory; None before the founding."""

    async def escalations(self) -> tuple[Escalation, ...]:
        """Return the open escalations, the oldest first."""

    async def outcomes(self, events: Sequence[UUID]) -> Mapping[UUID, Verdict]:
        """Return the verdicts on those own events that have an echo."""

    async def referrals(
        self, *, after: ReferralKey | None, limit: int, states: Sequence[State], source: str | None, target: str | None
    ) -> tuple[ReferralRow, ...]:
        """Return a page of the work list."""

    async def feed(self, after: int, limit: int) -> tuple[FeedEntry, ...]:
        """Return a page of the inbox."""

    async def feed_end(self) -> int:
        """Return the sequence of the last inbox entry; 0 if there is none."""

    async def awaited_cases(self) -> tuple[Case, ...]:
        """Return the cases with a referral that awaits a step."""

    async def open_referrals(self) -> OpenReferrals:
        """Return this member's open referrals and the inbox sequence that they include, from one snapshot."""

    async def backlog(self, at: datetime) -> Backlog:
        """Return the backlog."""

    async def start_intake_epoch(self) -> tuple[int, InboxPosition]:
        """Start a new inbox epoch. Return it with the position to continue from."""

    async def last_inbox_entry(self) -> InboxRow | None:
        """Return the last stored inbox entry."""

    async def start_relay_epoch(self) -> int:
        """Start a new relay epoch."""

    async def pause(self, *, paused: bool) -> None:
        """Pause or resume the relay."""

    async def due(self, epoch: int, at: datetime, limit: int) -> DueEvents:
        """Return own events to send now, in order; none while the relay is paused. Raises ``LeadershipLost``.

        An event is due if it was never sent, if a later event has its echo (so it was lost), or if its echo is overdue.
        """

    async def resend_key_refused(self, at: datetime) -> None:
        """Make the events due at ``at`` that were refused because their key was not in force."""

    async def mark_sent(self, epoch: int, events: Sequence[UUID], at: datetime, first_delay: float) -> None:
        """Mark one acknowledged batch as sent. Raises ``LeadershipLost``.

        Each is due again after ``first_delay`` seconds, growing fourfold with every attempt up to one hour.
        """


class Publisher(Protocol):
    """Port to this member's outgoing topic."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Send in order and wait for every acknowledgement.

        Raises ``PublishingFailed``: any of them may have arrived; send them again, in order.
        """

    async def close(self) -> None:
        """Close the connection without waiting for pending messages."""


class PublishingFailed(Exception):
    """The brokers are unavailable or did not acknowledge: send the same messages again later."""
