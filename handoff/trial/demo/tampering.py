"""Three ways in which somebody with every right at the database tampers with a case, and what the verifier says.

What is done in the database is real, in a transaction of its superuser that is undone as soon as the bundle is written.
"""

import io
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from handoff.adapters.postgres.bundle_export import Asked, collect
from handoff.adapters.postgres.timeline_store import SCHEMA
from handoff.proof.verify.archive import ArchiveWriter, read_members
from handoff.proof.verify.report import Conclusion, VerificationReport
from handoff.proof.verify.verifier import verify
from handoff.record.events.case import ReleaseWithdrawn
from handoff.record.events.referral import ReferralRejected
from handoff.trial.errors import TrialError
from handoff.views.timeline import TimelineEntry

_IN_DATABASE = "By a superuser in the database, with its triggers put to sleep"
_IN_FILE = "In the bundle, on its way"
_PUT_TO_SLEEP = "ALTER TABLE timeline.entries DISABLE TRIGGER append_only"
_EDIT = """
UPDATE timeline.entries
   SET value = convert_to(replace(convert_from(value, 'UTF8'), 'no_capacity.units_full', 'survivor_declined'), 'UTF8')
 WHERE record_offset = $1
"""
_CUT = "DELETE FROM timeline.entries WHERE record_offset >= $1"


@dataclass(frozen=True, slots=True)
class Tampering:
    """What was done, where, and the verifier's report on the bundle that came of it."""

    where: str
    done: str
    report: VerificationReport

    @property
    def found(self) -> tuple[str, ...]:
        """What the verifier names. Raises TrialError if it did not find it."""
        if self.report.conclusion is not Conclusion.TAMPERED:
            raise TrialError(f"the verifier did not find it: {self.done}")
        return tuple(failure.line for failure in self.report.failures)


async def tamperings(
    superuser: str, asked: Asked, honest: bytes, timeline: Sequence[TimelineEntry]
) -> tuple[Tampering, ...]:
    """An edited value, a withheld entry and a cut tail; ``honest`` is the bundle of the case as it is.

    ``superuser``: how the operator logs in to the timeline's database.
    """
    refused, withdrawn = (_place(timeline, said) for said in (ReferralRejected.type, ReleaseWithdrawn.type))
    edited = await _changed(superuser, asked, _EDIT, refused)
    withheld = _report(_without(honest, withdrawn), asked)
    cut = await _changed(superuser, asked, _CUT, timeline[-1].position)
    return (
        Tampering(_IN_DATABASE, "the shelter that was full is made to say that she declined", edited),
        Tampering(_IN_FILE, "her withdrawal is left out", withheld),
        Tampering(_IN_DATABASE, "the record's end is cut off, from the case's last entry on", cut),
    )


def _place(timeline: Iterable[TimelineEntry], event_type: str) -> int:
    return next(entry.position for entry in timeline if entry.type == event_type)


async def _changed(superuser: str, asked: Asked, statement: str, place: int) -> VerificationReport:
    """The report on the bundle that is written once ``statement`` was executed."""
    async with _undone(superuser) as connection:
        await connection.execute(_PUT_TO_SLEEP)
        await connection.execute(statement, place)
        evidence = await collect(connection, asked)
        return _report(b"".join([chunk async for chunk in evidence.chunks()]), asked)


@asynccontextmanager
async def _undone(superuser: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's transaction, of which nothing stays."""
    connection = await asyncpg.connect(superuser, server_settings={"search_path": f"{SCHEMA}, public"})
    try:
        await connection.transaction().start()
        yield connection
    finally:
        # With the connection ends its transaction.
        connection.terminate()


def _without(bundle: bytes, place: int) -> bytes:
    """The bundle, packed again without the record at ``place``."""
    out, left_out = io.BytesIO(), f"record/{place:012}.json"
    writer = ArchiveWriter(out)
    for member in read_members(io.BytesIO(bundle)):
        if member.name != left_out:
            writer.add(member)
    writer.close()
    return out.getvalue()


def _report(bundle: bytes, asked: Asked) -> VerificationReport:
    return verify(io.BytesIO(bundle), asked.trust)
