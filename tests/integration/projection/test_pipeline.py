"""The pipeline against a projection that does one thing after another, on the bench's record: equal tables."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from bench.stories import Place, signed
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.adapters.postgres.timeline_store import TimelinePosition, TimelineStore
from handoff.bootstrap.projection import build_projection
from handoff.operations import timeline_rebuild
from handoff.projection import pipeline
from handoff.record import codec, signing
from handoff.record.kafka_record import parse
from handoff.record.message import Message
from handoff.verification.verifier import SignatureVerifier
from handoff.views.timeline_fold import TimelineBatch, TimelineFold
from tests.support.parts.record_writer import RecordWriter, record_writer
from tests.support.parts.stack import Jurisdictions

ENTRIES = 400
# Small, so that a batch follows each other one, and still verified by another process.
BATCH = 12


class OneByOne:
    """Pipeline that verifies, judges and stores one entry before it takes the next. It has the product's interface."""

    def __init__(
        self, reader: RecordReader, store: TimelineStore, fold: TimelineFold, position: TimelinePosition
    ) -> None:
        self._reader, self._store, self._fold, self._position = reader, store, fold, position

    async def run(
        self, _verifier: SignatureVerifier, on_stored: Callable[[TimelineBatch], None], *, until: int
    ) -> TimelinePosition:
        await self._reader.start(self._position.next_offset)
        while self._position.next_offset < until:
            for record in map(parse, await self._reader.read(wait=1, limit=until - self._position.next_offset)):
                batch = self._fold.apply([record], await self._store.load_missing(self._fold, [record]))
                self._position = await self._store.append(self._position, batch)
                on_stored(batch)
        return self._position


@pytest.fixture
async def writer(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RecordWriter]:
    async with record_writer(jurisdictions, tmp_path_factory.mktemp("pipeline")) as kept:
        yield kept


def with_repetitions(record: Iterator[Message]) -> Iterator[Message]:
    """``record`` with some entries again, and some identities again with other bytes, close behind and far behind."""
    earlier: list[Message] = []
    for number, message in enumerate(record):
        yield message
        earlier.append(message)
        if number > BATCH and number % 5 == 0:
            yield earlier[-1 - number % (2 * BATCH)]
        if number > BATCH and number % 7 == 0:
            event = codec.decode(earlier[-1 - number % BATCH].value or b"")
            yield signed(event.model_copy(update={"time": event.time.replace(microsecond=number)}))


async def test_all_tables_are_those_of_a_projection_without_overlapping_stages(
    writer: RecordWriter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Batches, verification ahead and judging ahead change no byte of any table, and no reference of the board."""
    monkeypatch.setattr(pipeline, "BATCH", BATCH)
    monkeypatch.setattr(timeline_rebuild, "Pipeline", OneByOne)
    place = Place(writer.town.jurisdiction.plan)
    secret = tmp_path / "projection.idempotency.key"
    secret.write_text("5e" * 32, encoding="ascii")
    of_place = {"genesis_sha256": signing.sha256(place.genesis), "idempotency_secret_file": secret}
    await writer.append(*with_repetitions(place.record(ENTRIES)))
    projection = build_projection(writer.settings().model_copy(update=of_place))
    running = asyncio.create_task(projection.run())
    await writer.until_caught_up()
    assert projection.verifier.pid is not None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    owner = writer.settings("owner").model_copy(update=of_place)
    report = await timeline_rebuild.rebuild(owner, lambda _done, _of: None)
    assert report.is_identical
    assert all(table.found.rows for table in report.tables if table.name != "escalations")
    verdicts = {row["verdict"] for row in await writer.query("timeline_entries")}
    assert {"effective", "duplicate", "invalid"} <= verdicts
