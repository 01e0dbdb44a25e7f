"""uvicorn inside a process that handles signals itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from handoff.config import HttpSettings


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def http_server(app: Any, settings: HttpSettings, *, grace_seconds: int | None = None) -> uvicorn.Server:
    """Build a server of ``app``; ``grace_seconds`` bounds the requests in flight at shutdown."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=grace_seconds,
    )
    return _Server(config)
