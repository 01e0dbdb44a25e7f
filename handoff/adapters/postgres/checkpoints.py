"""The checkpoints in the timeline's database, as a trust file sees them."""

from typing import Any, Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from handoff.adapters.postgres.named_statements import statements
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.note import NotANote, Note, NoteSignature
from handoff.proof.log.witness import AddCheckpoint
from handoff.proof.verify.checkpoint_trust import Distrusted, Vouched, vouch
from handoff.proof.verify.report import Check
from handoff.proof.verify.trust import Trust

_SQL = statements("checkpoints.sql")
MOST: Final = 2**63 - 1
"""More entries than any record has."""


class UnknownLog(Exception):
    """The trust file does not name this record's log: bring another."""


async def newest_vouched(
    connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]",
    origin: Origin,
    trust: Trust,
    *,
    most: int = MOST,
) -> Vouched | None:
    """The newest checkpoint of at most so many entries that enough have cosigned; else the newest, None if none is.

    Needs an open transaction. Raises ``UnknownLog``.
    """
    newest: Vouched | None = None
    async for row in connection.cursor(_SQL["checkpoints"], most):
        vouched = _vouched(row, origin, trust)
        if vouched is not None and vouched.is_enough:
            return vouched
        newest = newest or vouched
    return newest


def _vouched(row: Any, origin: Origin, trust: Trust) -> Vouched | None:
    """Who stands by a checkpoint. Where somebody meddled with it, an older one says less, but with every signature."""
    try:
        note = Note.parse(AddCheckpoint.parse(row["request"]).note)
        cosigned = note.signed(*(NoteSignature.parse(line.rstrip("\n")) for line in row["cosignatures"]))
        return vouch(str(origin), str(cosigned).encode(), trust)
    except NotANote:
        return None
    except Distrusted as error:
        if error.objection.check is Check.TRUST:
            raise UnknownLog(error.objection.sentence) from error
        return None
