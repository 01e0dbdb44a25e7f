"""What a node needs of the world, and what the HTTP API needs of a node: Protocols with their obligations."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from handoff.domain.case import Case
from handoff.domain.commands import Command
from handoff.domain.decide import About
from handoff.domain.directory import Directory
from handoff.node.answers import Backlog, CaseView, FeedEntry, ReferralRow, Stored
from handoff.record.codes import State
from handoff.record.delivery import Delivery, Verdict
from handoff.record.envelope import Event
from handoff.record.message import Message


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
