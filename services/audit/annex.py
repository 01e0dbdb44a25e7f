"""What the audit adds to its node: the API about cases, receipts, and the timeline's pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from handoff import clock
from handoff.adapters.postgres.people import People
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.trust_file import trusted
from handoff.config import ConfigurationError, PostgresSettings
from handoff.node.ports import Clock, Reception
from handoff.proof.checkpoint import Origin
from handoff.proof.trust import Trust
from handoff.record.envelope import Source
from handoff.service import Annex, Premises
from handoff.web.problems import answer, problem
from services.audit.access import Access, PurposeNeeded
from services.audit.api import case_router
from services.audit.bundles import bundle_router
from services.audit.cases import Cases
from services.audit.context import Audit
from services.audit.description import describe_bodies
from services.audit.doors import doors
from services.audit.exports.routes import exports
from services.audit.pages import pages
from services.audit.receipts import receipts_router
from services.audit.visitors import AuditorsSystem, Sessions

_STATIC = Path(__file__).parent / "static"


def audit_annex(premises: Premises) -> Annex:
    """The routes of the audit, over the timeline's database as its reader. Raises ConfigurationError."""
    settings = premises.settings
    if settings.timeline is None or settings.token is None:
        raise ConfigurationError("timeline, token: the audit reads the timeline, for auditors and their system")
    timeline = open_pool(settings.timeline, max_size=6)
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    parts = Parts(
        me=me,
        token=settings.token.get_secret_value(),
        desk=premises.desk,
        own=premises.pool,
        timeline=timeline,
        timeline_settings=settings.timeline,
        trust=trusted(settings.checkpoints, origin_of(me)) if settings.checkpoints is not None else None,
        callers=settings.callers,
    )
    return Annex(lambda app: furnish(app, parts), (timeline,))


@dataclass(frozen=True)
class Parts:
    """What the audit's routes rest on: its node's desk and database, the timeline's, and whom it trusts."""

    me: Source
    token: str
    desk: Reception
    own: asyncpg.Pool
    timeline: asyncpg.Pool
    timeline_settings: PostgresSettings
    trust: Trust | None = None
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
    describe_bodies(app)


async def _purpose_needed(_request: Request, _error: Exception) -> Response:
    return answer(problem("purpose_required"))


def origin_of(me: Source) -> Origin:
    """The record that somebody speaks on."""
    return Origin(me.jurisdiction, me.generation)
