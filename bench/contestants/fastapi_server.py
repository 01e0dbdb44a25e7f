"""FastAPI as its documentation shows it: a validated body, one INSERT, a response. Arguments: a port and a DSN."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from handoff.clock import new_id
from handoff.record.events.case import Opening

_TABLE = """
CREATE TABLE IF NOT EXISTS commands (
    id uuid PRIMARY KEY, case_id uuid NOT NULL, body text NOT NULL, at timestamptz NOT NULL DEFAULT now()
)
"""
_INSERT = "INSERT INTO commands (id, case_id, body) VALUES ($1, $2, $3)"


class Stored(BaseModel):
    """Ids of the stored command."""

    event: UUID
    case: UUID


def application(dsn: str) -> FastAPI:
    """The API."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=6, max_size=6) as pool:
            await pool.execute(_TABLE)
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)
    signed_in = Depends(HTTPBearer())

    @app.post("/cases", status_code=202)
    async def open_case(request: Request, opening: Opening, _token: Any = signed_in) -> Stored:
        stored = Stored(event=new_id(), case=new_id())
        await request.app.state.pool.execute(_INSERT, stored.event, stored.case, opening.model_dump_json())
        return stored

    return app


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[2]), port=int(sys.argv[1]), loop="uvloop", log_level="error", access_log=False)
