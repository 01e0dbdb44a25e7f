"""Recording of reads: a read is committed to the node's outbox, with its purpose, before any content is sent."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from handoff.domain.commands import RecordRead
from handoff.domain.decide import About
from handoff.node.commands.results import Refused, StoreUnavailable
from handoff.node.ports import Clock, NodeApi
from handoff.record.codes import ReadPurpose
from handoff.web.pages.access.authentication import AuthenticatedReader
from handoff.web.pages.access.session_store import CaseOpening, SessionStore

READ_VALIDITY = timedelta(minutes=15)
"""Time for which further views of an opened case count as the same read. An export is always a separate read."""


class PurposeRequired(Exception):
    """The session has not named a purpose for this case: ask for one, then repeat the request."""


class ReadNotRecorded(Exception):
    """The read could not be committed: send no content of the case; retry later."""


@dataclass(frozen=True)
class ReadRecorder:
    """Gate in front of every case. ``store_failures`` are the errors that mean that the read was not committed."""

    desk: NodeApi
    sessions: SessionStore
    clock: Clock
    store_failures: tuple[type[Exception], ...] = (StoreUnavailable,)

    async def record(
        self, reader: AuthenticatedReader, case: UUID, purpose: ReadPurpose | None, *, is_export: bool = False
    ) -> None:
        """Return once the read is committed, or if the same read was committed within ``READ_VALIDITY``.

        Raises ``PurposeRequired`` and ``ReadNotRecorded``.
        """
        try:
            opening = await self.sessions.opening(reader.session, case)
        except self.store_failures as error:
            raise ReadNotRecorded from error
        named = purpose or (opening.purpose if opening is not None else None)
        if named is None:
            raise PurposeRequired
        if is_export or opening is None or opening.purpose is not named or self._has_expired(opening):
            await self._commit(reader, case, named)

    def _has_expired(self, opening: CaseOpening) -> bool:
        return self.clock() - opening.recorded_at > READ_VALIDITY

    async def _commit(self, reader: AuthenticatedReader, case: UUID, purpose: ReadPurpose) -> None:
        try:
            await self.desk.submit(RecordRead(reader=reader.id, purpose=purpose), About(case=case))
            await self.sessions.save_opening(reader.session, CaseOpening(case, purpose, self.clock()))
        except Refused as error:
            raise ReadNotRecorded from error
        except self.store_failures as error:
            raise ReadNotRecorded from error
