"""Sign-in sessions: the records of a person's visits, and the port of the store that holds them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from handoff.record.codes import ReadPurpose

LINK_LIFETIME = timedelta(hours=1)
SESSION_LIFETIME = timedelta(hours=8)
SESSION_COOKIE = "session"


@dataclass(frozen=True, slots=True)
class CaseOpening:
    """A case that a session has opened, with its purpose and the time at which the read was last recorded."""

    case: UUID
    purpose: ReadPurpose
    recorded_at: datetime


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a token. The store holds hashes only, so that a copy of its tables signs in no one."""
    return hashlib.sha256(token.encode()).digest()


class SessionStore(Protocol):
    """Store of one-time links, sessions and opened cases. Every method may raise ``StoreUnavailable``."""

    async def start_session(self, link_token: str, now: datetime) -> str | None:
        """Use up a link and return the token of a new session; None if the link is used, expired or unknown."""

    async def reader_of(self, session: bytes, now: datetime) -> UUID | None:
        """Return the person of the session with that hash; None if the session is unknown, expired or ended."""

    async def end_session(self, session: bytes, now: datetime) -> None:
        """End a session. A session that does not exist is ignored."""

    async def opening(self, session: bytes, case: UUID) -> CaseOpening | None:
        """Return how the session opened that case; None if it has not."""

    async def openings(self, session: bytes) -> tuple[CaseOpening, ...]:
        """Return the cases that the session opened, the newest first."""

    async def save_opening(self, session: bytes, opening: CaseOpening) -> None:
        """Store the time and purpose of a read that has been recorded."""
