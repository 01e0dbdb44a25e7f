"""uvicorn inside a process that handles signals itself."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any

import uvicorn

from handoff.adapters.http.bounded_protocol import BoundedProtocol, RequestLimits
from handoff.adapters.http.tls import Handshakes, RenewedCertificate
from handoff.config import ConfigurationError, HttpSettings

_RENEWAL_SECONDS = 1.0


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, and with a typed error for an address that it cannot listen on.

    ``on_shutdown`` is called before it waits for the requests in flight.
    """

    def __init__(self, config: uvicorn.Config, on_shutdown: Callable[[], None], limits: RequestLimits) -> None:
        self._exit = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(config)
        self._on_shutdown = on_shutdown
        self._limits = limits
        self._handshakes = Handshakes(limits.connections, limits.header_seconds)
        self._certificate: RenewedCertificate | None = None
        if config.ssl is not None and config.ssl_certfile is not None:
            key = Path(config.ssl_keyfile) if config.ssl_keyfile is not None else None
            self._certificate = RenewedCertificate(config.ssl, Path(config.ssl_certfile), key)
        self._headers_at = 0

    @property
    def should_exit(self) -> bool:
        """Return whether the server ends. May be set from any thread."""
        return self._exit.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        change = self._exit.set if value else self._exit.clear
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(change)
        else:
            change()

    async def main_loop(self) -> None:
        """Wait for the end, and look for a renewed certificate about once a second if there is one.

        uvicorn would look for its end ten times a second, and write the date for each second.
        """
        while self._certificate is not None and not self.should_exit:
            self._certificate.renew()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._exit.wait(), _RENEWAL_SECONDS)
        await self._exit.wait()

    def _set_date(self) -> None:
        """Set the headers of the responses in this second."""
        if (now := int(time.time())) != self._headers_at:
            self._headers_at = now
            date = (b"date", formatdate(now, usegmt=True).encode())
            self.server_state.default_headers = [date, *self.config.encoded_headers]

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until it should exit. Raises ConfigurationError."""
        self._loop = asyncio.get_running_loop()
        # uvicorn ends the whole process if it cannot bind.
        bound = sockets or [_bound(self.config)]
        self.servers = []
        try:
            await super().serve(bound)
        finally:
            # Cancelled, uvicorn leaves the port open.
            for server in self.servers:
                server.close()
            for sock in bound:
                sock.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. uvicorn would give any number of clients a minute for the TLS handshake."""
        self.servers = [
            await asyncio.get_running_loop().create_server(self._connection, sock=sock, backlog=self.config.backlog)
            for sock in sockets or ()
        ]
        self.started = True

    def _connection(self) -> asyncio.BaseProtocol:
        protocol = BoundedProtocol(
            self.config, self.server_state, {}, limits=self._limits, before_request=self._set_date
        )
        if self.config.ssl is None:
            return protocol
        return self._handshakes.begin(self.config.ssl, protocol)

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
        # The application knows which proxies it trusts.
        proxy_headers=False,
        lifespan="off",
        http=BoundedProtocol,
        timeout_graceful_shutdown=grace_seconds,
        ssl_certfile=settings.certificate_file,
        ssl_keyfile=settings.key_file,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigurationError(f"http: certificate_file, key_file: {error.strerror or error}") from None
    return _Server(config, on_shutdown, limits)
