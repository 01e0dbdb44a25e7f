"""The checkpoints in the timeline's database, as a trust file sees them."""

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
"""More entries than any record has."""


class UnknownLog(Exception):
    """The trust file does not name this record's log: bring another."""


async def newest_vouched(
    connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]",
    origin: Origin,
    trust: TrustPolicy,
    *,
    most: int = MOST,
) -> TrustedCheckpoint | None:
    """The newest checkpoint of at most so many entries that enough have cosigned; else the newest, None if none is.

    Needs an open transaction. Raises ``UnknownLog``.
    """
    newest: TrustedCheckpoint | None = None
    async for row in connection.cursor(_SQL["checkpoints"], most):
        vouched = _vouched(row, origin, trust)
        if vouched is not None and vouched.is_enough:
            return vouched
        newest = newest or vouched
    return newest


def _vouched(row: Any, origin: Origin, trust: TrustPolicy) -> TrustedCheckpoint | None:
    """Who stands by a checkpoint. Where somebody meddled with it, an older one says less, but with every signature."""
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
