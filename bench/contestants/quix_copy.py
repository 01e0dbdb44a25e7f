"""quixstreams: a sink that batches, and COPY."""

import asyncio
from collections.abc import Callable
from typing import Any

from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig
from quixstreams.sinks import BatchingSink, SinkBatch

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.same_work import SameWork
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message, as_headers
from handoff.record.topics import record_topic

_COMMIT_EVERY = 3000
Write = Callable[[list[Any]], None]
Step = Callable[..., Any]
"""Function of value, key, timestamp, headers and the state of the key, applied to each entry before the sink."""


def run(job: Job) -> Outcome:
    """Project the record to the timeline."""
    loop, work = asyncio.new_event_loop(), SameWork(job)
    connection = loop.run_until_complete(work.connect())
    return race(job, lambda items: loop.run_until_complete(work.copy(connection, work.batch([*map(entry, items)]))))


def race(job: Job, write: Write, step: Step | None = None, state: str = "state") -> Outcome:
    """Run the whole record through ``step`` with a state in the folder ``state``, and a sink that calls ``write``."""
    sink = _Sink(job.entries, write)
    app = Application(
        state_dir=state,
        use_changelog_topics=False,
        broker_address=_connection(job),
        consumer_group=f"peer-{job.options['run']}",
        auto_offset_reset="earliest",
        commit_every=_COMMIT_EVERY,
        commit_interval=1.0,
        auto_create_topics=False,
        loglevel="ERROR",
    )
    topic = app.topic(record_topic(job.jurisdiction), key_deserializer="bytes", value_deserializer="bytes")
    frame = app.dataframe(topic)
    (frame if step is None else frame.apply(step, stateful=True, metadata=True)).sink(sink)
    sink.stop = app.stop
    app.run(count=job.entries, collect=False)
    return sink.outcome or sink.watch.end(sink.done)


class _Sink(BatchingSink):
    """Collect entries and write them when the framework flushes."""

    def __init__(self, entries: int, write: Write) -> None:
        super().__init__()
        self._entries = entries
        self._write = write
        self.watch = Stopwatch()
        self.done = 0
        self.outcome: Outcome | None = None
        self.stop: Callable[[], None] | None = None

    def add(self, *args: Any, **kwargs: Any) -> None:
        self.watch.begin()
        super().add(*args, **kwargs)

    def write(self, batch: SinkBatch) -> None:
        items = [item for item in batch if item.offset < self._entries]
        if items:
            self._write(items)
        self.done += len(items)
        self.watch.reached(self.done)
        if self.done >= self._entries:
            self.outcome = self.watch.end(self.done)


def entry(item: Any) -> KafkaRecord:
    """The record entry in an item of the sink."""
    headers = as_headers(item.headers or ())
    return KafkaRecord(item.offset, item.timestamp, Message(item.key, item.value, headers))


def _connection(job: Job) -> ConnectionConfig:
    return ConnectionConfig(
        bootstrap_servers=job.bootstrap_servers,
        security_protocol="sasl_plaintext",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=job.kafka_user,
        sasl_password=job.kafka_password,
    )


if __name__ == "__main__":
    take_part(run)
