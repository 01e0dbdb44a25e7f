"""A projection at work inside a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from handoff.bootstrap.projection import build_projection
from tests.support.parts.record_writer import RecordWriter


@asynccontextmanager
async def projecting(writer: RecordWriter) -> AsyncIterator["asyncio.Task[None]"]:
    """A projection at work; it has to be at work still when the test is done with it."""
    running = asyncio.create_task(build_projection(writer.settings()).run())
    try:
        yield running
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
