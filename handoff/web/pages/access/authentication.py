"""Authentication of the people and systems that read cases. ``Authenticator`` is the interface for every method."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import Request

from handoff.node.ports import Clock
from handoff.web.pages.access.session_store import SESSION_COOKIE, SessionStore, token_hash
from handoff.web.pages.rendering import cookie_name

_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class AuthenticatedReader:
    """An authenticated caller. ``session`` is the hash of its token, ``id`` the opaque id of the person."""

    session: bytes
    id: UUID


class Authenticator(Protocol):
    """One method of authentication."""

    async def authenticate(self, request: Request) -> AuthenticatedReader | None:
        """Return the caller; None if the request has no valid credentials of this kind.

        May raise ``StoreUnavailable``.
        """


@dataclass(frozen=True)
class SessionAuthenticator:
    """Authenticates people by the cookie of a sign-in session."""

    sessions: SessionStore
    clock: Clock

    async def authenticate(self, request: Request) -> AuthenticatedReader | None:
        token = request.cookies.get(cookie_name(request, SESSION_COOKIE))
        if not token:
            return None
        reader = await self.sessions.reader_of(token_hash(token), self.clock())
        return AuthenticatedReader(token_hash(token), reader) if reader is not None else None


@dataclass(frozen=True)
class TokenAuthenticator:
    """Authenticates the member's own system by the bearer token of its node. ``source`` determines its reader id."""

    source: str
    token: str

    async def authenticate(self, request: Request) -> AuthenticatedReader | None:
        given = request.headers.get("authorization", "")
        if given[: len(_BEARER)].lower() != _BEARER:
            return None
        # Constant-time comparison: the duration does not show how much of the token was correct.
        if not secrets.compare_digest(given[len(_BEARER) :].encode(), self.token.encode()):
            return None
        return AuthenticatedReader(token_hash(self.token), uuid5(NAMESPACE_URL, self.source))


async def authenticate(authenticators: Sequence[Authenticator], request: Request) -> AuthenticatedReader | None:
    """Return the caller by the first authenticator that knows it; None if the request has no valid credentials."""
    for authenticator in authenticators:
        if (reader := await authenticator.authenticate(request)) is not None:
            return reader
    return None
