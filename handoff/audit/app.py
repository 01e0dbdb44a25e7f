"""What the audit adds to its node: the API about cases, receipts, and the timeline's pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from handoff import clock
from handoff.adapters.postgres.sessions import People
from handoff.audit.access.authentication import AuditorsSystem, Sessions
from handoff.audit.access.read_recording import Access, PurposeNeeded
from handoff.audit.access.sign_in_routes import doors
from handoff.audit.api.bundle_routes import bundle_router
from handoff.audit.api.case_routes import case_router
from handoff.audit.api.receipt_routes import receipts_router
from handoff.audit.cases import Cases
from handoff.audit.context import Audit
from handoff.audit.exports.export_routes import exports
from handoff.audit.pages.case_pages import pages
from handoff.audit.problems import PURPOSE_REQUIRED
from handoff.config import PostgresSettings
from handoff.node.ports import Clock, Reception
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.envelope import Source
from handoff.web.problems import problem_response

_STATIC = Path(__file__).parent / "pages" / "static"


@dataclass(frozen=True)
class Parts:
    """What the audit's routes rest on: its node's desk and database, the timeline's, and whom it trusts."""

    me: Source
    token: str
    desk: Reception
    own: asyncpg.Pool
    timeline: asyncpg.Pool
    timeline_settings: PostgresSettings
    trust: TrustPolicy | None = None
    callers: Mapping[str, str] | None = None
    clock: Clock = clock.now

    def audit(self) -> Audit:
        """The context of the routes."""
        people = People(self.own)
        return Audit(
            cases=Cases(self.timeline, self.timeline_settings, origin_of(self.me), self.trust),
            people=people,
            access=Access(self.desk, people, self.clock),
            ways=(Sessions(people, self.clock), AuditorsSystem(str(self.me), self.token)),
            callers=self.callers or {},
            clock=self.clock,
        )


def furnish(app: FastAPI, parts: Parts) -> None:
    """Adds the audit's routes to an application."""
    app.state.audit = parts.audit()
    app.include_router(case_router())
    app.include_router(bundle_router())
    app.include_router(receipts_router())
    for router in (doors, pages, exports):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=_STATIC))
    app.add_exception_handler(PurposeNeeded, _purpose_needed)


async def _purpose_needed(_request: Request, _error: Exception) -> Response:
    return problem_response(PURPOSE_REQUIRED.problem())


def origin_of(me: Source) -> Origin:
    """The record that somebody speaks on."""
    return Origin(me.jurisdiction, me.generation)
