"""The limit: signatures alone, on two threads, with everything in memory beforehand."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from bench.contest import Job, Outcome, Stopwatch, take_part
from bench.contestants.reading import whole_record
from bench.stories import key_of
from handoff.record import signing
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER

_THREADS = 2
_CHUNK = 250


def run(job: Job) -> Outcome:
    """Every signature of the record."""
    entries = asyncio.run(whole_record(job))
    keys = {key.id.encode(): key.public_key for key in map(key_of, ("coordination", "exchange", "police", "shelter"))}
    chunks = [entries[at : at + _CHUNK] for at in range(0, len(entries), _CHUNK)]
    watch = Stopwatch()
    watch.begin()
    with ThreadPoolExecutor(_THREADS) as threads:
        genuine = sum(threads.map(lambda chunk: _genuine(chunk, keys), chunks))
    return watch.end(len(entries), genuine=genuine)


def _genuine(chunk: list[KafkaRecord], keys: dict[bytes, bytes]) -> int:
    return sum(
        signing.verifies(
            keys[entry.message.header(KEY_ID_HEADER) or b""],
            entry.message.value or b"",
            entry.message.header(SIGNATURE_HEADER) or b"",
        )
        for entry in chunk
    )


if __name__ == "__main__":
    take_part(run)
