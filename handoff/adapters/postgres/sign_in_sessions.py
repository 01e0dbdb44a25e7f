"""Sign-in sessions in a node's database: one-time links, sessions, and the cases that each session opened."""

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.node_store import store_errors
from handoff.record.codes import ReadPurpose
from handoff.web.pages.access.session_store import LINK_LIFETIME, SESSION_LIFETIME, CaseOpening, token_hash

_SQL = statements("sign_in_sessions.sql")


class SignInSessions:
    """``SessionStore`` in PostgreSQL, and the creation of links. Every method may raise ``StoreUnavailable``."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create_link(self, reader: UUID, now: datetime) -> str:
        """Store a link and return its token, which signs ``reader`` in once, within ``LINK_LIFETIME``."""
        token = secrets.token_urlsafe(32)
        await self._fetch("create_link", token_hash(token), reader, now + LINK_LIFETIME)
        return token

    async def start_session(self, link_token: str, now: datetime) -> str | None:
        """See ``SessionStore``. Link and session change in one transaction."""
        with store_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                reader = await connection.fetchval(_SQL["use_link"], token_hash(link_token), now)
                if reader is None:
                    return None
                session = secrets.token_urlsafe(32)
                await connection.execute(_SQL["start_session"], token_hash(session), reader, now + SESSION_LIFETIME)
                return session

    async def reader_of(self, session: bytes, now: datetime) -> UUID | None:
        """See ``SessionStore``."""
        rows = await self._fetch("session", session, now)
        return rows[0]["reader"] if rows else None

    async def end_session(self, session: bytes, now: datetime) -> None:
        """See ``SessionStore``."""
        await self._fetch("end_session", session, now)

    async def opening(self, session: bytes, case: UUID) -> CaseOpening | None:
        """See ``SessionStore``."""
        rows = await self._fetch("opening", session, case)
        return _opening(case, rows[0]) if rows else None

    async def openings(self, session: bytes) -> tuple[CaseOpening, ...]:
        """See ``SessionStore``."""
        return tuple(_opening(row["case_id"], row) for row in await self._fetch("openings", session))

    async def save_opening(self, session: bytes, opening: CaseOpening) -> None:
        """See ``SessionStore``."""
        await self._fetch("save_opening", session, opening.case, opening.purpose.value, opening.recorded_at)

    async def _fetch(self, name: str, *arguments: object) -> list[Any]:
        with store_errors():
            found: list[Any] = await self._pool.fetch(_SQL[name], *arguments)
            return found


def _opening(case: UUID, row: Any) -> CaseOpening:
    return CaseOpening(case, ReadPurpose(row["purpose"]), row["recorded_at"])
