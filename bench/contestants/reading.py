"""The record in memory, for contestants that do not measure reading."""

from typing import Any

from bench.contest import Job, Stopwatch
from handoff.adapters.kafka.record_reader import RecordReader
from handoff.record.kafka_record import KafkaRecord


async def whole_record(job: Job) -> list[KafkaRecord]:
    """The entries of the record, without the founding event, which is verified by its hash."""
    reader = RecordReader(job.kafka, job.jurisdiction, client_id="bench")
    await reader.start(0)
    entries: list[KafkaRecord] = []
    while len(entries) < job.entries:
        entries += await reader.read(wait=1, limit=min(2000, job.entries - len(entries)))
    await reader.close()
    return entries[1:]


class TimedReader(RecordReader):
    """A reader that starts the watch when its first entries have arrived, as for every peer."""

    def __init__(self, job: Job, watch: Stopwatch) -> None:
        super().__init__(job.kafka, job.jurisdiction, client_id="bench")
        self._watch = watch

    async def read(self, **asked: Any) -> tuple[KafkaRecord, ...]:
        entries = await super().read(**asked)
        if entries:
            self._watch.begin()
        return entries
