"""The routes of the audit, added to its node's application."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import FastAPI, Request
from starlette.responses import Response

from handoff import clock
from handoff.adapters.postgres.case_reader import CaseReader
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.adapters.verdict_comparison import VerdictComparer
from handoff.audit.access.case_access import AuditContext
from handoff.audit.access.case_opening_routes import case_opening_router
from handoff.audit.api.bundle_routes import bundle_router
from handoff.audit.api.case_routes import case_router
from handoff.audit.api.receipt_routes import receipts_router
from handoff.audit.audit_problems import PURPOSE_REQUIRED
from handoff.audit.exports.export_routes import export_router
from handoff.audit.pages.audit_site import audit_site
from handoff.audit.pages.case_pages import case_page_router
from handoff.audit.status_check import StatusCheck
from handoff.config import DEFAULT_TIME_ZONE, PostgresSettings
from handoff.node.commands.results import StoreUnavailable
from handoff.node.ports import Clock, NodeApi
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.envelope import Source
from handoff.web.pages.access.authentication import SessionAuthenticator, TokenAuthenticator
from handoff.web.pages.access.read_recording import PurposeRequired, ReadRecorder
from handoff.web.pages.access.sign_in_routes import sign_in_router
from handoff.web.pages.page_route import add_unknown_page
from handoff.web.pages.static_files import PREFIX
from handoff.web.problems import problem_response


@dataclass(frozen=True)
class AuditParts:
    """Collaborators of the audit's routes: its node's desk and database, the timeline's database, the trust file.

    ``callers`` maps each member to the SHA-256 of the token with which it requests its receipts.
    """

    source: Source
    token: str
    desk: NodeApi
    own: asyncpg.Pool
    timeline: asyncpg.Pool
    timeline_settings: PostgresSettings
    trust: Callable[[], TrustPolicy] | None = None
    callers: Mapping[str, str] | None = None
    verdicts: VerdictComparer | None = None
    status: StatusCheck | None = None
    clock: Clock = clock.now
    time_zone: ZoneInfo | None = None


def add_audit_routes(app: FastAPI, parts: AuditParts) -> None:
    """Add the API, the pages and the exports of the audit to an application."""
    sessions = SignInSessions(parts.own)
    # The node's database may refuse for any reason; whatever it is, the read is not recorded.
    store_failures = (StoreUnavailable, asyncpg.PostgresError)
    app.state.audit = AuditContext(
        member=parts.source.member,
        cases=CaseReader(
            parts.timeline,
            parts.timeline_settings,
            origin_of(parts.source),
            parts.trust,
            lambda: None if parts.verdicts is None else parts.verdicts.result,
            lambda: () if parts.status is None else parts.status.differences,
        ),
        sessions=sessions,
        recorder=ReadRecorder(parts.desk, sessions, parts.clock, store_failures),
        authenticators=(
            SessionAuthenticator(sessions, parts.clock),
            TokenAuthenticator(str(parts.source), parts.token),
        ),
        callers=parts.callers or {},
        clock=parts.clock,
    )
    app.state.site = site = audit_site(parts.time_zone or ZoneInfo(DEFAULT_TIME_ZONE))
    for router in (
        case_router(),
        bundle_router(),
        receipts_router(),
        sign_in_router(sessions, parts.clock),
        case_opening_router(),
        case_page_router(),
        export_router(),
    ):
        app.include_router(router)
    app.mount(PREFIX, site.static_files)
    add_unknown_page(app)
    app.add_exception_handler(PurposeRequired, _purpose_required)


async def _purpose_required(_request: Request, _error: Exception) -> Response:
    return problem_response(PURPOSE_REQUIRED.problem())


def origin_of(source: Source) -> Origin:
    """Return the record that a member writes to."""
    return Origin(source.jurisdiction, source.generation)
