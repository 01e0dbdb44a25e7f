"""Access to a case: dependencies of the routes that authenticate the caller and record the read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from handoff.adapters.postgres.case_reader import CaseReader
from handoff.audit.audit_problems import ACCESS_NOT_RECORDED, CASE_NOT_RECORDED, NOT_SIGNED_IN
from handoff.node.ports import Clock
from handoff.record.codes import ReadPurpose
from handoff.record.uuid_text import Id
from handoff.web.pages.access.authentication import AuthenticatedReader, Authenticator, authenticate
from handoff.web.pages.access.read_recording import ReadNotRecorded, ReadRecorder
from handoff.web.pages.access.session_store import SESSION_COOKIE, SessionStore
from handoff.web.problems import ProblemError


@dataclass(frozen=True)
class AuditContext:
    """Collaborators of the routes, and the member that they belong to.

    ``callers``: member → SHA-256 of the token with which it requests its receipts.
    """

    member: str
    cases: CaseReader
    sessions: SessionStore
    recorder: ReadRecorder
    authenticators: tuple[Authenticator, ...]
    callers: Mapping[str, str]
    clock: Clock


def audit_context(request: Request) -> AuditContext:
    """Return the context that the application was built with."""
    context: AuditContext = request.app.state.audit
    return context


async def _audit_context(request: Request) -> AuditContext:
    # FastAPI runs plain functions on a thread; this one is async to stay on the event loop.
    return audit_context(request)


InAudit = Annotated[AuditContext, Depends(_audit_context)]

_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="The token of the auditors' own system")
_COOKIE = APIKeyCookie(
    name=SESSION_COOKIE, auto_error=False, scheme_name="session", description="The session of an auditor"
)


async def authenticated_reader(context: AuditContext, request: Request) -> AuthenticatedReader:
    """Return the authenticated caller. Raises the problem `not_signed_in` or `access-not-recorded`."""
    try:
        reader = await authenticate(context.authenticators, request)
    except context.recorder.store_failures:
        # Without the session store the reader is unknown, so no read can be recorded.
        raise _not_recorded() from None
    if reader is None:
        raise NOT_SIGNED_IN.error(headers={"WWW-Authenticate": 'Bearer realm="handoff"'})
    return reader


async def _auditor(
    context: InAudit,
    request: Request,
    _bearer: Annotated[object, Security(_BEARER)],
    _cookie: Annotated[object, Security(_COOKIE)],
) -> AuthenticatedReader:
    return await authenticated_reader(context, request)


Auditor = Annotated[AuthenticatedReader, Depends(_auditor)]
Purpose = Annotated[
    ReadPurpose | None,
    Header(alias="Read-Purpose", description="Purpose of the read. Required once for each case and session"),
]


async def _recorded_case(context: InAudit, auditor: Auditor, case: Id, read_purpose: Purpose = None) -> UUID:
    return await open_case(context, auditor, case, read_purpose)


OpenedCase = Annotated[UUID, Depends(_recorded_case)]
"""The case in the path, once the read is committed to the outbox."""


async def open_case(
    context: AuditContext,
    reader: AuthenticatedReader,
    case: UUID,
    purpose: ReadPurpose | None,
    *,
    is_export: bool = False,
) -> UUID:
    """Return ``case`` once the read is committed. An export is always recorded as a separate read.

    Raises ``PurposeRequired``, and the problem `case_not_recorded` or `access-not-recorded`.
    """
    if not await context.cases.exists(case):
        raise CASE_NOT_RECORDED.error()
    try:
        await context.recorder.record(reader, case, purpose, is_export=is_export)
    except ReadNotRecorded:
        raise _not_recorded() from None
    return case


def _not_recorded() -> ProblemError:
    return ACCESS_NOT_RECORDED.error(headers={"Retry-After": "2"})
