"""The projection while its verification process is killed, on the real broker and database."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from handoff.bootstrap.projection import build_projection
from handoff.operations.timeline_rebuild import rebuild
from handoff.verification.verifier import SignatureVerifier
from tests.support.parts.record_writer import RecordedCase, RecordWriter, record_writer
from tests.support.parts.stack import Jurisdictions

CASES = 30
TIMES = 3


@pytest.fixture
async def writer(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RecordWriter]:
    """A record with the founding alone."""
    async with record_writer(jurisdictions, tmp_path_factory.mktemp("verification")) as kept:
        await kept.found()
        yield kept


async def kill_each(verifier: SignatureVerifier, times: int) -> set[int]:
    """Kill each process of ``verifier`` as soon as it starts, while it has its first batch; return their ids."""
    killed: set[int] = set()
    while len(killed) < times:
        if verifier.pid is not None and verifier.pid not in killed:
            os.kill(verifier.pid, signal.SIGKILL)
            killed.add(verifier.pid)
        await asyncio.sleep(0)
    return killed


async def test_a_killed_verification_process_changes_nothing_on_the_timeline(writer: RecordWriter) -> None:
    """The projection begins again from the stored position; a rebuild finds the same tables, byte for byte."""
    projection = build_projection(writer.settings())
    running = asyncio.create_task(projection.run())
    # Signatures are verified ahead only once the members' keys are known.
    await writer.until_caught_up()
    for number in range(CASES):
        await writer.append(*RecordedCase(writer.town, number).whole())
    killed = await asyncio.wait_for(kill_each(projection.verifier, TIMES), 60)
    await writer.until_caught_up()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(killed) == TIMES
    assert projection.verifier.pid is None
    assert len(await writer.query("timeline_entries")) == await writer.end()
    report = await rebuild(writer.settings("owner"), lambda _done, _of: None)
    assert report.is_identical
