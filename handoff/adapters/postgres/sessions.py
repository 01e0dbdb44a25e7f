"""The persons at a node's pages: links that let in once, sessions, and for what each session opened a case."""

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
    """A case that a session opened, for what, and when that was last recorded as a read."""

    case: UUID
    purpose: ReadPurpose
    recorded_at: datetime


def hashed(token: str) -> bytes:
    """How a token is kept."""
    return hashlib.sha256(token.encode()).digest()


class People:
    """What a node's database knows of the persons at its pages. Every method may raise ``StoreUnavailable``."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def invite(self, reader: UUID, now: datetime) -> str:
        """A token that lets ``reader`` in once, within the hour."""
        token = secrets.token_urlsafe(32)
        await self._ask("invite", hashed(token), reader, now + LINK_LASTS)
        return token

    async def enter(self, token: str, now: datetime) -> str | None:
        """The token of a new session for whoever brings that of a link; None where it is used, over or unknown."""
        with store_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                reader = await connection.fetchval(_SQL["use_link"], hashed(token), now)
                if reader is None:
                    return None
                session = secrets.token_urlsafe(32)
                await connection.execute(_SQL["begin_session"], hashed(session), reader, now + SESSION_LASTS)
                return session

    async def reader(self, session: bytes, now: datetime) -> UUID | None:
        """The person whose session has that hash, while it lasts."""
        rows = await self._ask("session", session, now)
        return rows[0]["reader"] if rows else None

    async def leave(self, session: bytes, now: datetime) -> None:
        """Ends a session."""
        await self._ask("end_session", session, now)

    async def opening(self, session: bytes, case: UUID) -> Opening | None:
        """How the session opened that case, if it did."""
        rows = await self._ask("opening", session, case)
        return _opening(case, rows[0]) if rows else None

    async def openings(self, session: bytes) -> tuple[Opening, ...]:
        """The cases that the session opened, the newest first."""
        return tuple(_opening(row["case_id"], row) for row in await self._ask("openings", session))

    async def note_opening(self, session: bytes, opening: Opening) -> None:
        """Remembers a read that has been recorded."""
        await self._ask("note_opening", session, opening.case, opening.purpose.value, opening.recorded_at)

    async def _ask(self, name: str, *arguments: object) -> list[Any]:
        with store_errors():
            found: list[Any] = await self._pool.fetch(_SQL[name], *arguments)
            return found


def _opening(case: UUID, row: Any) -> Opening:
    return Opening(case, ReadPurpose(row["purpose"]), row["recorded_at"])
