"""The projection's stages without judging: strict parsing, COPY and the offset in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import uvloop

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.appending import COLUMNS, row_of_event
from bench.contestants.reading import TimedReader
from handoff.adapters.postgres.timeline_store import TimelineStore, connect
from handoff.domain.directory import Directory
from handoff.process import freeze_gc
from handoff.projection.pipeline import Pipeline
from handoff.proof.log.frontier import TreeNode
from handoff.record.envelope import Event, Identity
from handoff.record.kafka_record import ParsedRecord
from handoff.verification.verifier import SignatureVerifier
from handoff.views.timeline_fold import OpenBatch, TimelineBatch, TimelineFold


@dataclass(frozen=True, slots=True)
class _Batch(TimelineBatch):
    records: Sequence[ParsedRecord] = ()

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def next_offset(self) -> int:
        return self.records[-1].offset + 1

    @property
    def record_ms(self) -> int:
        return self.records[-1].kafka.appended_ms


class _OpenBatch(OpenBatch):
    def __init__(self) -> None:
        self._records: list[ParsedRecord] = []

    def add(self, records: Iterable[ParsedRecord]) -> None:
        self._records += records

    def close(self) -> TimelineBatch:
        return _Batch((), (), None, (), {}, records=self._records)


class _Unjudged(TimelineFold):
    def open_batch(self, first_hashes: Mapping[Identity, str]) -> OpenBatch:  # noqa: ARG002 - as it is
        return _OpenBatch()


class _Appending(TimelineStore):
    async def load_missing(self, fold: TimelineFold, records: Sequence[ParsedRecord]) -> Mapping[Identity, str]:  # noqa: ARG002
        return {}

    async def _write(self, batch: _Batch, nodes: Sequence[TreeNode]) -> None:  # noqa: ARG002 - there are no leaves
        rows = [
            row_of_event(record.offset, record.event, record.message.value)
            for record in batch.records
            if isinstance(record.event, Event)
        ]
        await self._connection.copy_records_to_table("appended", records=rows, columns=COLUMNS)


def run(job: Job) -> Outcome:
    """Append the record to one table."""
    return uvloop.run(_run(job))


async def _run(job: Job) -> Outcome:
    watch = Stopwatch()
    connection = await connect(job.database)
    store = _Appending(connection)
    position = await store.take_over()
    # Without a key in the directory, no signature is verified. Batches have their full size from the founding on.
    fold = _Unjudged.at(job.genesis_sha256, Directory(job.jurisdiction, job.generation, founded=True))
    freeze_gc()
    reader = TimedReader(job, watch)
    async with SignatureVerifier() as verifier:
        await Pipeline(reader, store, fold, position).run(
            verifier, lambda batch: watch.reached(batch.next_offset), until=job.entries
        )
    outcome = watch.end(job.entries)
    await reader.close()
    await connection.close()
    return outcome


if __name__ == "__main__":
    take_part(run)
