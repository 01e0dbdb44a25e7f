"""The exchange as a process: its probes, its end, and a record that is not what it was."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from handoff.record import codec
from handoff.record.codec import AnyEvent
from handoff.record.kafka_record import KafkaRecord
from handoff.trial.child_process import ChildProcess
from handoff.trial.stack import TrialStack
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import PATIENCE_SECONDS, Town, town
from tests.support.parts.stack import Jurisdictions


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("process")) as unfounded:
        yield unfounded


async def ended(child: ChildProcess) -> int | None:
    """Waits until a process ends by itself; gives its exit code."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while child.running:  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.05)
    return child.terminate()


async def test_it_reports_readiness_and_stops_cleanly(place: Town, stack: TrialStack) -> None:
    """It is live on start, ready when it consumes and routes, exports metrics, and ends with code 0 on SIGTERM."""
    port = stack.service_port(0)
    exchange = place.exchange(port=str(port))
    exchange.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await _answers(client, "/health/ready"):  # noqa: ASYNC110 - another process is waited for
                await asyncio.sleep(0.05)
        assert await _answers(client, "/health/live")
        await place.found()
        figures = (await client.get("/metrics")).text
    assert 'handoff_routed_total{verdict="effective"} 9.0' in figures
    assert exchange.terminate() == 0


async def test_a_clean_stop_leaves_nothing_to_be_appended_again(place: Town) -> None:
    """On shutdown the exchange commits its offsets, so that it resumes after the last appended event."""
    first = place.exchange()
    first.start()
    await place.found()
    before, after = Matter(place, 1).opened(), Matter(place, 2).opened()
    await place.publish(before)
    await place.record(lambda record: occurrences(record, before) == 1)
    assert first.terminate() == 0
    place.exchange().start()
    await place.publish(after)
    record = await place.record(lambda record: occurrences(record, after) == 1)
    assert occurrences(record, before) == 1


def occurrences(record: list[KafkaRecord], event: AnyEvent) -> int:
    """Return how often ``event`` is on the record."""
    return [entry.message.value for entry in record].count(codec.encode(event))


async def test_a_record_that_lost_its_end_stops_the_exchange(place: Town) -> None:
    """An exchange that has routed more than the record holds alarms and ends: nothing may be built on it."""
    await place.query("move_exchange_past_the_end")
    exchange = place.exchange()
    exchange.start()
    assert await ended(exchange) == 3
    assert "record.broken" in exchange.log.read_text()


async def test_a_wrong_setting_is_named(place: Town) -> None:
    """A configuration that cannot be is refused at the start, by the setting's name."""
    exchange = place.exchange(grace_seconds="soon")
    exchange.start()
    assert await ended(exchange) == 2
    assert "exchange.grace_seconds" in exchange.log.read_text()


async def _answers(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).status_code == 200
    except httpx.TransportError:
        return False
