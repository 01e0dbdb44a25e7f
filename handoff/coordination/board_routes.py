"""The routes of the board, added to the coordinator's node."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import FastAPI

from handoff import clock
from handoff.adapters.postgres.board_reader import BoardReader
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.config import DEFAULT_TIME_ZONE, DutyContact
from handoff.coordination.board_access import BoardContext
from handoff.coordination.pages.board_pages import board_page_router
from handoff.coordination.pages.board_site import board_site
from handoff.node.commands.results import StoreUnavailable
from handoff.node.ports import Clock, NodeApi
from handoff.web.pages.access.authentication import SessionAuthenticator
from handoff.web.pages.access.sign_in_routes import sign_in_router
from handoff.web.pages.page_route import add_unknown_page
from handoff.web.pages.static_files import PREFIX


@dataclass(frozen=True)
class BoardParts:
    """Collaborators of the board: the coordinator's desk and database, and the timeline's database as its role."""

    desk: NodeApi
    own: asyncpg.Pool
    timeline: asyncpg.Pool
    duty: dict[str, DutyContact] = field(default_factory=dict)
    clock: Clock = clock.now
    time_zone: ZoneInfo | None = None


def add_board_routes(app: FastAPI, parts: BoardParts) -> None:
    """Add the board's pages to an application."""
    sessions = SignInSessions(parts.own)
    app.state.board = BoardContext(
        desk=parts.desk,
        reader=BoardReader(parts.timeline),
        sessions=sessions,
        authenticators=(SessionAuthenticator(sessions, parts.clock),),
        duty=parts.duty,
        clock=parts.clock,
        # The node's database may refuse for any reason; whatever it is, the read is not recorded.
        store_failures=(StoreUnavailable, asyncpg.PostgresError),
    )
    app.state.site = site = board_site(parts.time_zone or ZoneInfo(DEFAULT_TIME_ZONE))
    app.include_router(sign_in_router(sessions, parts.clock))
    app.include_router(board_page_router())
    app.mount(PREFIX, site.static_files)
    add_unknown_page(app)
