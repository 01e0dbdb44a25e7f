"""Faults planted in the real parts after a run, with an operator's rights. The history checker has to find them."""

import asyncpg
from aiokafka import AIOKafkaProducer

from handoff.adapters.kafka.client import security
from handoff.record.envelope import EXCHANGE
from handoff.record.topics import PROJECTION, in_topic
from handoff.trial.trial import Trial

PLANTED_COMPONENTS = frozenset({"entries", "police's work list", "in.shelter"})
"""Components in which the checker has to find a difference, and no others."""

_CHANGE_STATE = "UPDATE referrals SET state = 'on-hold' WHERE id = (SELECT id FROM referrals ORDER BY id LIMIT 1)"
_DELETE_ROW = """
    ALTER TABLE timeline.entries DISABLE TRIGGER append_only;
    DELETE FROM timeline.entries WHERE record_offset = (SELECT max(record_offset) / 2 FROM timeline.entries);
    ALTER TABLE timeline.entries ENABLE ALWAYS TRIGGER append_only;
"""


async def plant_faults(trial: Trial) -> None:
    """Change a state in a node's database, delete a row of the timeline, and append a forged entry to an inbox."""
    name = trial.jurisdiction.name
    await _execute(trial, f"{name}_police", _CHANGE_STATE)
    await _execute(trial, f"{name}_{PROJECTION}", _DELETE_ROW)
    await _append_to_inbox(trial, in_topic(name, "shelter"), name)


async def _execute(trial: Trial, database: str, statements: str) -> None:
    connection = await asyncpg.connect(trial.stack.postgres_dsn(database))
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def _append_to_inbox(trial: Trial, topic: str, jurisdiction: str) -> None:
    # The sequence is far beyond the last one, so the node waits for the entries between and stores nothing.
    headers = [("inbox-sequence", b"1000000"), ("record-time", b"0"), ("verdict", b"effective")]
    producer = AIOKafkaProducer(**security(trial.jurisdiction.kafka_settings(EXCHANGE)), acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"{}", key=jurisdiction.encode(), headers=headers)
    finally:
        await producer.stop()
