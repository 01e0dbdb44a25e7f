"""Reads of a case: each is committed to this node's outbox, with its purpose, before anything of the case is shown."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.sessions import Opening, People
from handoff.audit.access.authentication import Visitor
from handoff.domain.commands import RecordRead
from handoff.domain.decide import About
from handoff.node.commands.results import Refused, StoreUnavailable
from handoff.node.ports import Clock, Reception
from handoff.record.codes import ReadPurpose

READ_LASTS = timedelta(minutes=15)
"""For how long looking around in an opened case is the same read. An export is always one of its own."""


NOT_STORED = (StoreUnavailable, asyncpg.PostgresError)
"""The node's database is away, or refuses: whatever the reason, no read can be recorded."""


class PurposeNeeded(Exception):
    """The session has not said for what it opens this case: ask, then try again."""


class AccessNotRecorded(Exception):
    """The read could not be committed: show nothing of the case; try again later."""


@dataclass(frozen=True)
class Access:
    """The way into a case, for everybody who reads one here."""

    desk: Reception
    people: People
    clock: Clock

    async def open(self, visitor: Visitor, case: UUID, purpose: ReadPurpose | None, *, leaves: bool = False) -> None:
        """Returns once the read is committed; what ``leaves`` with the visitor is always a read of its own.

        Raises ``PurposeNeeded`` and ``AccessNotRecorded``.
        """
        opening = await self._opening(visitor, case)
        told = purpose or (opening.purpose if opening is not None else None)
        if told is None:
            raise PurposeNeeded
        if leaves or opening is None or opening.purpose is not told or self._is_over(opening):
            await self._record(visitor, case, told)

    def _is_over(self, opening: Opening) -> bool:
        return self.clock() - opening.recorded_at > READ_LASTS

    async def _opening(self, visitor: Visitor, case: UUID) -> Opening | None:
        try:
            return await self.people.opening(visitor.session, case)
        except NOT_STORED as error:
            raise AccessNotRecorded from error

    async def _record(self, visitor: Visitor, case: UUID, purpose: ReadPurpose) -> None:
        try:
            await self.desk.submit(RecordRead(reader=visitor.reader, purpose=purpose), About(case=case))
            await self.people.note_opening(visitor.session, Opening(case, purpose, self.clock()))
        except (*NOT_STORED, Refused) as error:
            raise AccessNotRecorded from error
