"""Who comes to the audit's API and pages. How that is known is behind one seam."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import Request

from handoff.adapters.postgres.sessions import People, hashed
from handoff.node.ports import Clock

SESSION_COOKIE = "session"
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was let in: ``session`` names this visit by a hash, ``reader`` is the person's opaque id."""

    session: bytes
    reader: UUID


class Authentication(Protocol):
    """A way to know who sends a request; may raise ``StoreUnavailable``."""

    async def visitor(self, request: Request) -> Visitor | None:
        """Who it is; None where this way does not tell."""


@dataclass(frozen=True)
class Sessions:
    """Persons by the cookie of a session, which began with a one-time link."""

    people: People
    clock: Clock

    async def visitor(self, request: Request) -> Visitor | None:
        token = request.cookies.get(SESSION_COOKIE)
        if not token:
            return None
        reader = await self.people.reader(hashed(token), self.clock())
        return Visitor(hashed(token), reader) if reader is not None else None


@dataclass(frozen=True)
class AuditorsSystem:
    """The auditors' own system, by the bearer token of this node."""

    source: str
    token: str

    async def visitor(self, request: Request) -> Visitor | None:
        given = request.headers.get("authorization", "")
        if given[: len(_BEARER)].lower() != _BEARER:
            return None
        # Compared without a hint, by its duration, of how much was right.
        if not secrets.compare_digest(given[len(_BEARER) :].encode(), self.token.encode()):
            return None
        return Visitor(hashed(self.token), uuid5(NAMESPACE_URL, self.source))


async def recognised(ways: Sequence[Authentication], request: Request) -> Visitor | None:
    """Who sends a request, by the first way that tells."""
    for way in ways:
        if (visitor := await way.visitor(request)) is not None:
            return visitor
    return None
