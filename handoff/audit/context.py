"""What the audit's routes work with, and the way that each request about a case has to take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from handoff.adapters.postgres.sessions import People
from handoff.audit.access.authentication import SESSION_COOKIE, Authentication, Visitor, recognised
from handoff.audit.access.read_recording import NOT_STORED, Access, AccessNotRecorded
from handoff.audit.cases import Cases
from handoff.audit.problems import ACCESS_NOT_RECORDED, CASE_NOT_RECORDED, NOT_SIGNED_IN
from handoff.node.ports import Clock
from handoff.record.codes import ReadPurpose
from handoff.web.problems import ProblemError


@dataclass(frozen=True)
class Audit:
    """The parts behind the routes. ``callers``: member → SHA-256 of the token by which it asks for its receipts."""

    cases: Cases
    people: People
    access: Access
    ways: tuple[Authentication, ...]
    callers: Mapping[str, str]
    clock: Clock


def audit_of(request: Request) -> Audit:
    """The parts that the application was made with."""
    audit: Audit = request.app.state.audit
    return audit


async def _audit_here(request: Request) -> Audit:
    return audit_of(request)


InAudit = Annotated[Audit, Depends(_audit_here)]

_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="The token of the auditors' own system")
_COOKIE = APIKeyCookie(name=SESSION_COOKIE, auto_error=False, scheme_name="session", description="An auditor's session")


async def visitor_of(audit: Audit, request: Request) -> Visitor:
    """Who sends the request. Raises the problem that ends it."""
    try:
        visitor = await recognised(audit.ways, request)
    except NOT_STORED:
        # Nobody can be named as the reader, so no read can be recorded.
        raise _not_recorded() from None
    if visitor is None:
        raise NOT_SIGNED_IN.error(headers={"WWW-Authenticate": 'Bearer realm="handoff"'})
    return visitor


async def visitor(
    audit: InAudit,
    request: Request,
    _bearer: Annotated[object, Security(_BEARER)],
    _cookie: Annotated[object, Security(_COOKIE)],
) -> Visitor:
    """Lets only auditors pass."""
    return await visitor_of(audit, request)


Auditor = Annotated[Visitor, Depends(visitor)]
Purpose = Annotated[
    ReadPurpose | None,
    Header(alias="Read-Purpose", description="For what the case is read; asked once in a session for each case"),
]


async def opened_case(audit: InAudit, auditor: Auditor, case: UUID, read_purpose: Purpose = None) -> UUID:
    """The case in the path, once its read is committed to the outbox."""
    return await open_case(audit, auditor, case, read_purpose)


OpenedCase = Annotated[UUID, Depends(opened_case)]


async def open_case(
    audit: Audit, auditor: Visitor, case: UUID, purpose: ReadPurpose | None, *, leaves: bool = False
) -> UUID:
    """``case``, once its read is committed; ``leaves`` where what is read goes with the auditor.

    Raises ``PurposeNeeded``, and the problem of a case that is not on the record or a read that was not recorded.
    """
    if not await audit.cases.knows(case):
        raise CASE_NOT_RECORDED.error()
    try:
        await audit.access.open(auditor, case, purpose, leaves=leaves)
    except AccessNotRecorded:
        raise _not_recorded() from None
    return case


def _not_recorded() -> ProblemError:
    return ACCESS_NOT_RECORDED.error(headers={"Retry-After": "2"})
