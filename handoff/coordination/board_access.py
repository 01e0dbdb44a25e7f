"""Access to the board: authentication, and the recording of reads and acknowledgements before anything is sent."""

from dataclasses import dataclass
from typing import Annotated
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import Depends, Request

from handoff.adapters.postgres.board_reader import BoardReader
from handoff.config import DutyContact
from handoff.coordination.board_problems import ACCESS_NOT_RECORDED, NOT_SIGNED_IN
from handoff.domain.commands import RecordBoardRead
from handoff.domain.decide import About
from handoff.node.commands.results import Refused, StoreUnavailable
from handoff.node.ports import Clock, NodeApi
from handoff.record.codes import BoardAccess, ReadPurpose
from handoff.web.pages.access.authentication import AuthenticatedReader, Authenticator, authenticate
from handoff.web.pages.access.read_recording import READ_VALIDITY
from handoff.web.pages.access.session_store import CaseOpening, SessionStore
from handoff.web.problems import ProblemError


@dataclass(frozen=True)
class BoardContext:
    """Collaborators of the board. ``store_failures`` are the errors that mean that a read was not committed."""

    desk: NodeApi
    reader: BoardReader
    sessions: SessionStore
    authenticators: tuple[Authenticator, ...]
    duty: dict[str, DutyContact]
    clock: Clock
    store_failures: tuple[type[Exception], ...] = (StoreUnavailable,)

    async def authenticated(self, request: Request) -> AuthenticatedReader:
        """Return the person. Raises the problem `not_signed_in` or `access-not-recorded`."""
        try:
            person = await authenticate(self.authenticators, request)
        except self.store_failures:
            raise _not_recorded() from None
        if person is None:
            raise NOT_SIGNED_IN.error(headers={"WWW-Authenticate": 'Bearer realm="handoff"'})
        return person

    async def record_read(self, request: Request, access: BoardAccess) -> AuthenticatedReader:
        """Return the person once the read is committed, or was within ``READ_VALIDITY``.

        The page refreshes itself, so that each read of the same part counts once in that time.
        """
        person = await self.authenticated(request)
        part = _part(access)
        try:
            opening = await self.sessions.opening(person.session, part)
            if opening is None or self.clock() - opening.recorded_at > READ_VALIDITY:
                await self._commit(RecordBoardRead(reader=person.id, access=access))
                # The store of sessions knows a purpose for each part that was opened; the board has only this one.
                await self.sessions.save_opening(person.session, CaseOpening(part, ReadPurpose.SUPERVISE, self.clock()))
        except self.store_failures:
            raise _not_recorded() from None
        return person

    async def record_acknowledgement(self, person: AuthenticatedReader, reference: UUID) -> None:
        """Return once it is committed that this person acknowledges an escalation."""
        try:
            await self._commit(
                RecordBoardRead(reader=person.id, access=BoardAccess.ACKNOWLEDGEMENT, reference=reference)
            )
        except self.store_failures:
            raise _not_recorded() from None

    async def _commit(self, command: RecordBoardRead) -> None:
        try:
            await self.desk.submit(command, About())
        except Refused:
            raise _not_recorded() from None


def _part(access: BoardAccess) -> UUID:
    return uuid5(NAMESPACE_URL, f"handoff:board:{access.value}")


def _not_recorded() -> ProblemError:
    return ACCESS_NOT_RECORDED.error(headers={"Retry-After": "2"})


async def _board_context(request: Request) -> BoardContext:
    context: BoardContext = request.app.state.board
    return context


InBoard = Annotated[BoardContext, Depends(_board_context)]
