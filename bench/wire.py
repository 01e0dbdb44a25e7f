"""A minimal HTTP client with little overhead, so that the server dominates the measurement."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]


class Wire:
    """One persistent connection; one request at a time."""

    def __init__(self, url: str, token: str) -> None:
        where = urlsplit(url)
        self._host, self._port = where.hostname or "", where.port or 0
        self._head = f"Host: {where.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Json) -> tuple[int, bytes]:
        """Return status and body of the response."""
        # A server closes a connection that was idle for some seconds.
        if self._streams is None or self._streams[0].at_eof():
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        text = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(text)}\r\n\r\n"
        writer.write(head.encode() + text)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        return int(lines[0].split()[1]), await reader.readexactly(length)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()


class Wires:
    """A pool of connections to one server; each handles one request at a time."""

    def __init__(self, url: str, token: str, count: int = 16) -> None:
        self._idle: asyncio.LifoQueue[Wire] = asyncio.LifoQueue()
        for _ in range(count):
            self._idle.put_nowait(Wire(url, token))

    async def post(self, path: str, body: Json) -> tuple[int, Json]:
        """Return status and JSON document of the response."""
        wire = await self._idle.get()
        try:
            status, answer = await wire.post(path, body)
        finally:
            self._idle.put_nowait(wire)
        return status, json.loads(answer)

    def close(self) -> None:
        """Close the idle connections."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
