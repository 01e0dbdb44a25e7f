"""Three ways to tamper with a case with all rights at the database, and the verifier's reports on them.

The changes in the database are real. They are made in a superuser's transaction, which is rolled back once the bundle
is written.
"""

import io
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from handoff.adapters.postgres.bundle_export import BundleRequest, start_export
from handoff.adapters.postgres.timeline_store import SCHEMA
from handoff.proof.verify.archive import ArchiveWriter, read_members
from handoff.proof.verify.report import Conclusion, VerificationReport
from handoff.proof.verify.verifier import verify
from handoff.record.events.case import ReleaseWithdrawn
from handoff.record.events.referral import ReferralRejected
from handoff.trial.errors import TrialError
from handoff.views.timeline import TimelineEntry

_IN_DATABASE = "By a superuser in the database, with its triggers disabled"
_IN_FILE = "In the bundle, during its transfer"
_DISABLE_TRIGGER = "ALTER TABLE timeline.entries DISABLE TRIGGER append_only"
_EDIT = """
UPDATE timeline.entries
   SET value = convert_to(replace(convert_from(value, 'UTF8'), 'no_capacity.units_full', 'survivor_declined'), 'UTF8')
 WHERE record_offset = $1
"""
_CUT = "DELETE FROM timeline.entries WHERE record_offset >= $1"


@dataclass(frozen=True, slots=True)
class Tampering:
    """A change, its place, and the verifier's report on the resulting bundle."""

    where: str
    done: str
    report: VerificationReport

    @property
    def found(self) -> tuple[str, ...]:
        """Findings of the verifier. Raises TrialError if it did not detect the change."""
        if self.report.conclusion is not Conclusion.TAMPERED:
            raise TrialError(f"the verifier did not detect this change: {self.done}")
        return tuple(failure.line for failure in self.report.failures)


async def tamperings(
    superuser: str, request: BundleRequest, honest: bytes, timeline: Sequence[TimelineEntry]
) -> tuple[Tampering, ...]:
    """Reports on an edited value, a withheld entry and a truncated record.

    ``superuser`` is the operator's connection string to the timeline's database; ``honest`` is the unchanged bundle.
    """
    refused, withdrawn = (_position(timeline, event) for event in (ReferralRejected.type, ReleaseWithdrawn.type))
    edited = await _changed(superuser, request, _EDIT, refused)
    withheld = _report(_without(honest, withdrawn), request)
    cut = await _changed(superuser, request, _CUT, timeline[-1].position)
    return (
        Tampering(_IN_DATABASE, "the refusal of the shelter that was full is changed to *survivor declined*", edited),
        Tampering(_IN_FILE, "her withdrawal is removed", withheld),
        Tampering(_IN_DATABASE, "the record is truncated at the case's last entry", cut),
    )


def _position(timeline: Iterable[TimelineEntry], event_type: str) -> int:
    return next(entry.position for entry in timeline if entry.type == event_type)


async def _changed(superuser: str, request: BundleRequest, statement: str, place: int) -> VerificationReport:
    """Report on the bundle that is written after ``statement`` was executed."""
    async with _rolled_back(superuser) as connection:
        await connection.execute(_DISABLE_TRIGGER)
        await connection.execute(statement, place)
        export = await start_export(connection, request)
        return _report(b"".join([chunk async for chunk in export.chunks()]), request)


@asynccontextmanager
async def _rolled_back(superuser: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a superuser's transaction that is rolled back at the end."""
    connection = await asyncpg.connect(superuser, server_settings={"search_path": f"{SCHEMA}, public"})
    try:
        await connection.transaction().start()
        yield connection
    finally:
        # Closing the connection rolls its transaction back.
        connection.terminate()


def _without(bundle: bytes, place: int) -> bytes:
    """The bundle without the record at offset ``place``, packed again."""
    out, left_out = io.BytesIO(), f"record/{place:012}.json"
    writer = ArchiveWriter(out)
    for member in read_members(io.BytesIO(bundle)):
        if member.name != left_out:
            writer.add(member)
    writer.close()
    return out.getvalue()


def _report(bundle: bytes, request: BundleRequest) -> VerificationReport:
    return verify(io.BytesIO(bundle), request.trust)
