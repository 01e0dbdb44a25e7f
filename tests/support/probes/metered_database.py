"""Relay in front of a PostgreSQL server that counts the questions and the bytes of the connections through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from handoff.config import PostgresSettings

_QUESTIONS = frozenset(b"SQ")
"""Types of the messages that a server answers: the end of an extended query, and a simple query."""


@dataclass
class Meter:
    """Count of questions, and of bytes in both directions, since the last reset."""

    questions: int = 0
    sent: int = 0
    received: int = 0

    def read(self) -> tuple[int, int, int]:
        """Return the counts, and begin again from zero."""
        found = self.questions, self.sent, self.received
        self.questions = self.sent = self.received = 0
        return found


async def _ask(client: asyncio.StreamReader, server: asyncio.StreamWriter, meter: Meter) -> None:
    # The first message has no type.
    header = await client.readexactly(4)
    server.write(header + await client.readexactly(int.from_bytes(header, "big") - 4))
    while True:
        kind = await client.readexactly(1)
        size = await client.readexactly(4)
        body = await client.readexactly(int.from_bytes(size, "big") - 4)
        meter.questions += kind[0] in _QUESTIONS
        meter.sent += 5 + len(body)
        server.write(kind + size + body)


async def _answer(server: asyncio.StreamReader, client: asyncio.StreamWriter, meter: Meter) -> None:
    while some := await server.read(65_536):
        meter.received += len(some)
        client.write(some)


@asynccontextmanager
async def metered(settings: PostgresSettings) -> AsyncIterator[tuple[PostgresSettings, Meter]]:
    """Yield settings that lead through the relay, and its meter."""
    meter = Meter()

    async def relay(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(settings.host, settings.port)
        asking = asyncio.create_task(_ask(client, to_server, meter))
        try:
            with suppress(ConnectionError):
                await _answer(server, to_client, meter)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            to_server.close()
            to_client.close()

    listener = await asyncio.start_server(relay, "127.0.0.1")
    port = listener.sockets[0].getsockname()[1]
    try:
        yield settings.model_copy(update={"host": "127.0.0.1", "port": port, "sslmode": "disable"}), meter
    finally:
        listener.close()
