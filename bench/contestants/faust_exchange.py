"""Faust: an agent that validates, judges and routes each event, and inserts one row of it.

Its task is easier: there is no record, it waits for no acknowledgement of its sends, and it stores no case, no position
and no inbox sequence.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from bench.contest import Job, Outcome, take_part
from bench.contestants.faust_app import Worker, run_worker
from bench.contestants.same_work import entry
from bench.stories import key_of
from handoff.adapters.kafka.client import security
from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.domain.directory import Directory
from handoff.domain.own_keys import OwnKeys
from handoff.exchange.routing import Known, route
from handoff.exchange.validation import Submission, SubmissionValidator
from handoff.record.kafka_record import KafkaRecord, parse
from handoff.record.message import Message
from handoff.record.topics import EXCHANGE, in_topic, out_topic

_INSERT = "INSERT INTO seen (subject, source, event_id, value_hash) VALUES ($1, $2, $3, $4)"


def run(job: Job) -> Outcome:
    """Route every event from the outgoing topics into the inboxes."""
    return run_worker(job, _race)


async def _race(worker: Worker) -> Outcome:
    job = worker.job
    pool = await asyncpg.create_pool(job.database.dsn, min_size=1, max_size=1)
    stored = await ExchangeStore(pool).newer_directory(-1)
    if stored is None:
        raise LookupError("the database holds no directory: found the jurisdiction first")
    state = _State(job, stored[1])
    producer = AIOKafkaProducer(**security(job.kafka), acks="all", enable_idempotence=True)
    await producer.start()

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            worker.watch.begin()
            routed = state.route(event.message)
            for identity, value_hash in routed.first_hashes.items():
                await pool.execute(_INSERT, *identity, value_hash)
            for member, delivered in state.deliveries(routed):
                topic = in_topic(job.jurisdiction, member)
                await producer.send(topic, delivered.value, delivered.key, partition=0, headers=list(delivered.headers))
            worker.did(1)

    topics = [out_topic(job.jurisdiction, member) for member in job.options["members"]]
    outcome = await worker.work(topics, agent)
    await asyncio.wait_for(producer.stop(), 30)
    return outcome


class _State:
    """The agent's state between events."""

    def __init__(self, job: Job, directory: Directory) -> None:
        self._job = job
        self._validator = SubmissionValidator(job.genesis_sha256, OwnKeys(EXCHANGE, key_of(EXCHANGE)))
        self._known = Known(directory, 0, {}, {}, {})
        self._cases: dict[Any, Any] = {}
        self._offset = 0

    def route(self, message: Any) -> Any:
        """Validate and route an event."""
        found = entry(message)
        submission = Submission(message.topic, found)
        ((validated, _),) = self._validator.validate([submission], self._known.directory)
        record = parse(KafkaRecord(self._offset, found.appended_ms, validated))
        known = Known(self._known.directory, 0, self._cases, {}, self._known.inboxes)
        routed = route(known, (record,), self._job.genesis_sha256)
        self._cases.update(routed.cases)
        self._known = Known(routed.directory, 0, {}, {}, routed.inboxes)
        self._offset += 1
        return routed

    def deliveries(self, routed: Any) -> Iterator[tuple[str, Message]]:
        """The member and message of each inbox entry."""
        return ((queued.member, queued.delivery.to_message()) for queued in routed.deliveries)


if __name__ == "__main__":
    take_part(run)
