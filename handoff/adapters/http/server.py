"""uvicorn inside a process that handles signals itself."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn

from handoff.adapters.http.bounded_protocol import BoundedProtocol, RequestLimits
from handoff.config import ConfigurationError, HttpSettings


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, and with a typed error for an address that it cannot listen on.

    ``on_shutdown`` is called before it waits for the requests in flight.
    """

    def __init__(self, config: uvicorn.Config, on_shutdown: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_shutdown = on_shutdown

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until it should exit. Raises ConfigurationError."""
        # uvicorn ends the whole process if it cannot bind.
        await super().serve(sockets or [_bound(self.config)])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_shutdown()
        await super().shutdown(sockets)


def _bound(config: uvicorn.Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=config.backlog)
    except OSError as error:
        raise ConfigurationError(f"port: {config.host}:{config.port} cannot be used: {error.strerror}") from None


def http_server(
    app: Any,
    settings: HttpSettings,
    *,
    grace_seconds: int | None = None,
    on_shutdown: Callable[[], None] = lambda: None,
    limits: RequestLimits | None = None,
) -> uvicorn.Server:
    """Build a server of ``app`` within ``limits``; ``grace_seconds`` bounds the requests in flight at shutdown.

    Raises ConfigurationError if the certificate or its key cannot be used.
    """
    limits = limits or RequestLimits(connections=settings.max_connections)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        # It is called with keywords alone.
        http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, limits=limits)),
        timeout_graceful_shutdown=grace_seconds,
        ssl_certfile=settings.certificate_file,
        ssl_keyfile=settings.key_file,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigurationError(f"http: certificate_file, key_file: {error.strerror or error}") from None
    return _Server(config, on_shutdown)
