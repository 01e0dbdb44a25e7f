"""quixstreams as its documentation shows it: JSON, one signature, the state of a case in RocksDB, a sink with COPY."""

import asyncio
import json
import tempfile
from typing import Any

import asyncpg
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from bench.contest import Job, Outcome, take_part
from bench.contestants.appending import COLUMNS
from bench.contestants.quix_copy import race
from bench.stories import key_of
from handoff.adapters.postgres.timeline_store import connect
from handoff.record import formats
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER
from handoff.record.signing import pre_authentication_encoding

_KEYS = {
    key.id.encode(): VerifyKey(key.public_key) for key in map(key_of, ("coordination", "exchange", "police", "shelter"))
}


def run(job: Job) -> Outcome:
    """Append the record to one table, with the state of each case beside it."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(connect(job.database))
    with tempfile.TemporaryDirectory() as state:
        return race(job, lambda items: loop.run_until_complete(_copy(connection, items)), _step, state)


def _step(value: bytes, _key: bytes, _timestamp: int, headers: Any, state: Any) -> dict[str, Any]:
    event = json.loads(value)
    found = dict(headers or ())
    key = _KEYS.get(found.get(KEY_ID_HEADER, b""))
    genuine = key is not None and _is_genuine(key, value, found[SIGNATURE_HEADER])
    referral = event["data"].get("referral")
    if genuine and referral is not None:
        case = state.get("case", {})
        case[referral] = event["type"]
        state.set("case", case)
    return {**event, "value": value, "genuine": genuine}


def _is_genuine(key: VerifyKey, value: bytes, signature: bytes) -> bool:
    try:
        key.verify(pre_authentication_encoding(formats.EVENT_PAYLOAD, value), signature)
    except BadSignatureError:
        return False
    return True


async def _copy(connection: asyncpg.Connection, items: list[Any]) -> None:
    names = COLUMNS[2:-1]
    rows = [
        (item.offset, item.value["id"], *(item.value[name] for name in names), item.value["value"]) for item in items
    ]
    await connection.copy_records_to_table("appended", records=rows, columns=COLUMNS)


if __name__ == "__main__":
    take_part(run)
