"""TLS of an HTTP port: a bound on unfinished handshakes, and certificates that are renewed while the process runs."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import structlog

log = structlog.get_logger(__name__)


class _Handshake(SSLProtocol):
    """One connection. Until its handshake is complete, ``transport`` is all that there is of it."""

    transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        super().connection_made(transport)


@dataclass
class Handshakes:
    """Handshakes in progress on one port, at most ``limit``: a further one replaces the oldest.

    A connection counts among those of the server only when its handshake is complete.
    """

    limit: int
    seconds: float
    _open: dict[asyncio.Future[Any], _Handshake] = field(default_factory=dict, init=False)

    def begin(self, context: ssl.SSLContext, application: asyncio.Protocol) -> SSLProtocol:
        """Return the protocol of an accepted connection, which hands over to ``application``."""
        loop = asyncio.get_running_loop()
        completed: asyncio.Future[Any] = loop.create_future()
        # The type of the limit is wrong in the stubs: a part of a second is allowed.
        seconds = cast("int", self.seconds)
        started = _Handshake(loop, application, context, completed, server_side=True, ssl_handshake_timeout=seconds)
        while len(self._open) >= self.limit:
            self._abort(next(iter(self._open)))
        self._open[completed] = started
        completed.add_done_callback(self._end)
        return started

    def _abort(self, oldest: asyncio.Future[Any]) -> None:
        started = self._open.pop(oldest)
        if started.transport is not None:
            started.transport.abort()

    def _end(self, completed: asyncio.Future[Any]) -> None:
        self._open.pop(completed, None)
        if not completed.cancelled():
            # A client that ends its handshake is no fault of this process.
            completed.exception()


@dataclass
class RenewedCertificate:
    """Certificate and key of a server, loaded again into its context when the files change."""

    context: ssl.SSLContext
    certificate: Path
    key: Path | None
    _version: object = field(init=False)

    def __post_init__(self) -> None:
        self._version = self._stat()

    def renew(self) -> None:
        """Load changed files. Handshakes from then on use them; a pair that does not match is reported and left."""
        version = self._stat()
        if version == self._version:
            return
        self._version = version
        try:
            # Tried first: a context that failed to load half of a pair would be broken.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
            self.context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            found = error.strerror or str(error)
            log.error("http.certificate_refused", file=str(self.certificate), error=found)  # noqa: TRY400 (no trace)
        else:
            log.info("http.certificate_renewed", file=str(self.certificate))

    def _stat(self) -> object:
        files = (self.certificate,) if self.key is None else (self.certificate, self.key)
        return tuple(map(_version_of, files))


def _version_of(file: Path) -> object:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
