"""Kafka Connect with Debezium's JDBC sink, tuned: batches and polls of 3000, inserts rewritten into many rows each."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.connect_parts import class_path, plugin_path
from bench.contest import Job, Outcome, Stopwatch, take_part
from handoff.adapters.postgres.timeline_store import connect
from handoff.package_data import data_path
from handoff.record.topics import record_topic
from handoff.trial.java import java

_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 60
_BATCH = "3000"
_FIELDS = ("id", "source", "type", "subject", "time")
_SCHEMA = {
    "type": "struct",
    "name": "event",
    "fields": [{"field": name, "type": "string", "optional": False} for name in _FIELDS],
}


def run(job: Job) -> Outcome:
    """Insert the envelopes of the record into one table; the worker's start is not measured."""
    with tempfile.TemporaryDirectory() as directory, _worker(job, Path(directory)) as worker:
        try:
            return asyncio.run(_until_there(job, worker))
        except TimeoutError:
            raise SystemExit((Path(directory) / "log").read_text(errors="replace")[-4000:]) from None


async def _until_there(job: Job, worker: subprocess.Popen[bytes]) -> Outcome:
    watch, first = Stopwatch(), 0
    connection = await connect(job.database)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            last = await connection.fetchval("SELECT max(__connect_offset) FROM connected")
            if last is not None and not first:
                watch.begin()
                first = last + 1
            if last is not None:
                watch.reached(last + 1)
            if first and last >= job.entries - 1:
                return watch.end(job.entries - first, resident_mib=_resident_mib(worker.pid))


@contextmanager
def _worker(job: Job, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    worker = _write(directory / "worker.properties", _worker_settings(job, directory))
    sink = _write(directory / "sink.properties", _sink_settings(job))
    log4j = data_path("kafka", "log4j2.properties")
    argv = (
        java(), "-Xmx1g", f"-Dlog4j2.configurationFile={log4j}", "-cp", class_path(),
        "org.apache.kafka.connect.cli.ConnectStandalone", worker, sink,
    )  # fmt: skip
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _worker_settings(job: Job, directory: Path) -> Mapping[str, str]:
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    login = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f'{module} required username="{job.kafka_user}" password="{job.kafka_password}";',
    }
    return {
        "bootstrap.servers": job.bootstrap_servers,
        **login,
        **{f"consumer.{name}": value for name, value in login.items()},
        "consumer.auto.offset.reset": "earliest",
        "consumer.max.poll.records": _BATCH,
        "consumer.max.partition.fetch.bytes": str(4 * 1024 * 1024),
        "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        # The default converter guesses a type from the header value, and some signatures look like a list.
        "header.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "value.converter.schema.content": json.dumps(_SCHEMA),
        "offset.storage.file.filename": str(directory / "offsets"),
        "plugin.path": str(plugin_path()),
        "plugin.discovery": "service_load",
        "listeners": "HTTP://127.0.0.1:0",
    }


def _sink_settings(job: Job) -> Mapping[str, str]:
    postgres = job.database
    where = f"{postgres.host}:{postgres.port}/{postgres.database}"
    return {
        "name": f"peer-{job.options['run']}",
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "1",
        "topics": record_topic(job.jurisdiction),
        "connection.url": f"jdbc:postgresql://{where}?reWriteBatchedInserts=true&currentSchema=timeline",
        "connection.username": postgres.user,
        "connection.password": postgres.password.get_secret_value(),
        "insert.mode": "insert",
        "primary.key.mode": "kafka",
        "schema.evolution": "none",
        "collection.name.format": "connected",
        "batch.size": _BATCH,
    }


def _write(path: Path, settings: Mapping[str, str]) -> str:
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return str(path)


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1024 / 1024


if __name__ == "__main__":
    take_part(run)
