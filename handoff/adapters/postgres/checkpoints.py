"""Checkpoints in the timeline's database, evaluated against a trust policy."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from handoff.adapters.postgres.named_statements import statements
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.note import MalformedNote, Note, NoteSignature
from handoff.proof.log.witness import AddCheckpoint
from handoff.proof.verify.checkpoint_trust import CheckpointDistrusted, TrustedCheckpoint, check_trust
from handoff.proof.verify.report import Check
from handoff.proof.verify.trust import TrustPolicy

_SQL = statements("checkpoints.sql")
MOST: Final = 2**63 - 1
"""Above the size of any record."""


class UnknownLog(Exception):
    """The trust file does not name this record's log."""


async def newest_cosigned(
    connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]",
    origin: Origin,
    trust: TrustPolicy,
    *,
    most: int = MOST,
) -> TrustedCheckpoint | None:
    """Return the newest checkpoint of at most ``most`` entries with a quorum; else the newest; None if there are none.

    Requires an open transaction. Raises ``UnknownLog``.
    """
    newest: TrustedCheckpoint | None = None
    async for row in connection.cursor(_SQL["checkpoints"], most):
        checkpoint = _checked(row, origin, trust)
        if checkpoint is not None and checkpoint.is_enough:
            return checkpoint
        newest = newest or checkpoint
    return newest


async def newest_published(
    connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]", limit: int
) -> Sequence[tuple[bytes, int]]:
    """Return the newest published checkpoints, newest first: the published bytes, and the due time in milliseconds."""
    return [(row["request"], row["due_ms"]) for row in await connection.fetch(_SQL["published"], limit)]


def _checked(row: Any, origin: Origin, trust: TrustPolicy) -> TrustedCheckpoint | None:
    """Check a stored checkpoint. A manipulated one gives None, so that an older, fully signed one is used."""
    try:
        note = Note.parse(AddCheckpoint.parse(row["request"]).note)
        cosigned = note.signed(*(NoteSignature.parse(line.rstrip("\n")) for line in row["cosignatures"]))
        return check_trust(str(origin), str(cosigned).encode(), trust)
    except MalformedNote:
        return None
    except CheckpointDistrusted as error:
        if error.finding.check is Check.TRUST:
            raise UnknownLog(error.finding.sentence) from error
        return None
