"""Faults planted in the real parts after a run, with an operator's rights: what the checker is there to find."""

import asyncpg
from aiokafka import AIOKafkaProducer

from handoff.adapters.kafka.client import security
from handoff.record.envelope import EXCHANGE
from handoff.record.topics import PROJECTION, in_topic
from handoff.trial.trial import Trial

SABOTAGED = frozenset({"entries", "police's work list", "in.shelter"})
"""Where the checker must find something, and nowhere else."""

_STATE = "UPDATE referrals SET state = 'on-hold' WHERE id = (SELECT id FROM referrals ORDER BY id LIMIT 1)"
_ROW = """
    ALTER TABLE timeline.entries DISABLE TRIGGER append_only;
    DELETE FROM timeline.entries WHERE record_offset = (SELECT max(record_offset) / 2 FROM timeline.entries);
    ALTER TABLE timeline.entries ENABLE ALWAYS TRIGGER append_only;
"""


async def sabotage(trial: Trial) -> None:
    """Edits a state in a node's database, drops a row of the timeline, and puts an entry of its own into an inbox."""
    name = trial.jurisdiction.name
    await _execute(trial, f"{name}_police", _STATE)
    await _execute(trial, f"{name}_{PROJECTION}", _ROW)
    await _slip_in(trial, in_topic(name, "shelter"))


async def _execute(trial: Trial, database: str, statements: str) -> None:
    connection = await asyncpg.connect(trial.stack.postgres_dsn(database))
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def _slip_in(trial: Trial, topic: str) -> None:
    # Beyond the end of what was given, so that the node waits for what never comes between.
    headers = [("inbox-sequence", b"1000000"), ("record-time", b"0"), ("verdict", b"effective")]
    producer = AIOKafkaProducer(**security(trial.jurisdiction.kafka_settings(EXCHANGE)), acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"{}", key=name_of(topic), headers=headers)
    finally:
        await producer.stop()


def name_of(topic: str) -> bytes:
    """The jurisdiction's name, under which everything stands that is about no case."""
    return topic.partition(".")[0].encode()
