"""The record in memory, for whoever measures something else than reading it."""

from typing import Any

from bench.contest import Job, Stopwatch
from handoff.adapters.kafka.record_reader import RecordEntry, RecordReader


async def whole_record(job: Job) -> list[RecordEntry]:
    """The record's entries, without the founding one, whose word is its hash."""
    reader = RecordReader(job.kafka, job.jurisdiction, client_id="bench")
    await reader.start(0)
    entries: list[RecordEntry] = []
    while len(entries) < job.entries:
        entries += await reader.read(wait=1, limit=min(2000, job.entries - len(entries)))
    await reader.close()
    return entries[1:]


class TimedReader(RecordReader):
    """A reader that starts the watch where its first entries are there, as it is started for every peer."""

    def __init__(self, job: Job, watch: Stopwatch) -> None:
        super().__init__(job.kafka, job.jurisdiction, client_id="bench")
        self._watch = watch

    async def read(self, **asked: Any) -> tuple[RecordEntry, ...]:
        entries = await super().read(**asked)
        if entries:
            self._watch.begin()
        return entries
