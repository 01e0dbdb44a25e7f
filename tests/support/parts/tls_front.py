"""TLS in front of a database server whose build has none, as a connection pooler ends it."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_CHUNK = 65_536


@dataclass
class TlsFront:
    """Addresses at which TLS is ended, and the port of the server behind. Connections without TLS are closed."""

    hosts: tuple[str, ...]
    port: int
    certificate: tuple[Path, Path]
    encrypted: int = 0
    plain: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop, init=False)

    @contextmanager
    def running(self) -> Iterator["TlsFront"]:
        """Serve in a thread of its own for the block."""
        started, context = threading.Event(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.certificate)

        async def serve() -> None:
            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                    await self._handle(reader, writer, context)
                writer.close()

            async with await asyncio.start_server(accept, self.hosts, self.port):
                started.set()
                await stopped.wait()
            connections = asyncio.all_tasks() - {asyncio.current_task()}
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

        stopped = asyncio.Event()
        thread = threading.Thread(target=self._loop.run_until_complete, args=(serve(),))
        thread.start()
        started.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(stopped.set)
            thread.join()
            self._loop.close()

    async def _handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
            self.plain += 1
            return
        writer.write(b"S")
        await writer.drain()
        await writer.start_tls(context)
        self.encrypted += 1
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))
        finally:
            server_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    writer.close()
