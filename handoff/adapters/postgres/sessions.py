"""Sessions of persons at a node's pages: one-time links, sessions, and the purpose for which each opened a case."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.record.codes import ReadPurpose

LINK_LASTS = timedelta(hours=1)
SESSION_LASTS = timedelta(hours=8)

_SQL = statements("sessions.sql")


@dataclass(frozen=True, slots=True)
class Opening:
    """A case that a session opened: purpose, and the time of its last recorded read."""

    case: UUID
    purpose: ReadPurpose
    recorded_at: datetime


def hashed(token: str) -> bytes:
    """Return the hash under which a token is stored."""
    return hashlib.sha256(token.encode()).digest()


class People:
    """Links, sessions and openings in a node's database. Every method may raise ``StoreUnavailable``."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def invite(self, reader: UUID, now: datetime) -> str:
        """Create a one-time token that signs ``reader`` in within an hour."""
        token = secrets.token_urlsafe(32)
        await self._ask("invite", hashed(token), reader, now + LINK_LASTS)
        return token

    async def enter(self, token: str, now: datetime) -> str | None:
        """Exchange a link's token for a session token. Return None if it is used, expired or unknown."""
        with store_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                reader = await connection.fetchval(_SQL["use_link"], hashed(token), now)
                if reader is None:
                    return None
                session = secrets.token_urlsafe(32)
                await connection.execute(_SQL["begin_session"], hashed(session), reader, now + SESSION_LASTS)
                return session

    async def reader(self, session: bytes, now: datetime) -> UUID | None:
        """Return the person of an active session; None if it has expired or is unknown."""
        rows = await self._ask("session", session, now)
        return rows[0]["reader"] if rows else None

    async def leave(self, session: bytes, now: datetime) -> None:
        """End a session."""
        await self._ask("end_session", session, now)

    async def opening(self, session: bytes, case: UUID) -> Opening | None:
        """Return the session's opening of that case, if any."""
        rows = await self._ask("opening", session, case)
        return _opening(case, rows[0]) if rows else None

    async def openings(self, session: bytes) -> tuple[Opening, ...]:
        """Return the cases opened by the session, newest first."""
        return tuple(_opening(row["case_id"], row) for row in await self._ask("openings", session))

    async def note_opening(self, session: bytes, opening: Opening) -> None:
        """Store the opening of a case whose read has been recorded."""
        await self._ask("note_opening", session, opening.case, opening.purpose.value, opening.recorded_at)

    async def _ask(self, name: str, *arguments: object) -> list[Any]:
        with store_errors():
            found: list[Any] = await self._pool.fetch(_SQL[name], *arguments)
            return found


def _opening(case: UUID, row: Any) -> Opening:
    return Opening(case, ReadPurpose(row["purpose"]), row["recorded_at"])
