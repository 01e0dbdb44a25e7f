"""Intake of the exchange on the real broker: refused submissions, and the submissions after them."""

import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from handoff.adapters.kafka.client import security
from handoff.record import codec, message
from handoff.record.codes import EntryPoint, RefusalCode, ReportingDelay
from handoff.record.delivery import Delivery
from handoff.record.events.case import CaseOpened
from handoff.record.events.directory import SubmissionRefused
from handoff.record.message import Message
from handoff.record.signing import SigningKey, sha256
from handoff.record.topics import out_topic
from tests.support.dsl.builders import event, key_of, nth_id, signed
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import Town, contains, events_of, town
from tests.support.parts.stack import Jurisdictions

SECRET = b"Jane Roe"


@pytest.fixture(scope="module")
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("intake")) as founded:
        # Submitted before the record begins.
        await founded.submit("shelter", Message(b"early", SECRET))
        founded.exchange().start()
        await founded.found()
        yield founded


def refusals(inbox: list[Delivery]) -> list[tuple[RefusalCode, str]]:
    bodies = [e.data for e in events_of(inbox) if isinstance(e.data, SubmissionRefused)]
    return [(body.code, value_hash) for body in bodies for value_hash in body.value_hashes]


def poison(place: Town) -> list[tuple[RefusalCode, Message]]:
    """Submissions of police that no honest node sends, each with the code that it is refused by."""
    opening = Matter(place, 100).opened()
    genuine, value = signed(opening), codec.encode(opening)
    elsewhere = event(opening.data, subject=nth_id(1), jurisdiction="elsewhere")
    key = genuine.key
    return [
        (RefusalCode.MALFORMED, Message(key, os.urandom(200))),
        (RefusalCode.MALFORMED, Message(key, None)),
        (RefusalCode.MALFORMED, Message(b"", None)),
        (RefusalCode.OVERSIZE, Message(key, SECRET * 20_000)),
        (RefusalCode.MALFORMED, message.sign(opening.subject, b'{"id":1,"id":2}', key_of("police"))),
        (RefusalCode.SCHEMA, message.sign(opening.subject, b'{"name":"Jane Roe"}', key_of("police"))),
        (
            RefusalCode.SCHEMA,
            message.sign(opening.subject, value.replace(b'"entry_point"', b'"name"'), key_of("police")),
        ),
        (RefusalCode.KEY_NOT_OWNER, signed(place.event(opening.data, emitter="shelter"), key_of("police"))),
        (RefusalCode.KEY_NOT_OWNER, signed(place.event(opening.data, emitter="shelter"))),
        (RefusalCode.WRONG_JURISDICTION, signed(elsewhere)),
        (RefusalCode.SIGNATURE, replace(genuine, headers=())),
        (RefusalCode.SIGNATURE, replace(genuine, value=value.replace(b"same_day", b"up_to_1w"))),
        (RefusalCode.KEY_NOT_IN_FORCE, signed(opening, SigningKey(bytes(32)))),
        (RefusalCode.MALFORMED, replace(genuine, key=b"another")),
        (RefusalCode.MALFORMED, replace(genuine, headers=(*genuine.headers, ("note", SECRET)))),
    ]


async def test_the_record_begins_with_the_founding_and_early_words_are_refused_after_it(place: Town) -> None:
    """Offset 0 is the founding event whatever was submitted before it."""
    record = await place.record(lambda found: len(found) >= 2)
    assert record[0].message.value == codec.encode(place.genesis)
    kept = [codec.decode(entry.message.value or b"").data for entry in await place.until_settled()]
    early = [body for body in kept if isinstance(body, SubmissionRefused) and sha256(SECRET) in body.value_hashes]
    assert len(early) == 1


async def test_each_fuzzed_submission_is_refused_once_by_code(place: Town) -> None:
    """A poison message is refused once, its emitter is notified, only its hash is stored, and later messages arrive."""
    fuzzed = poison(place)
    await place.submit("police", *(bad for _, bad in fuzzed))
    opening = Matter(place, 101).opened()
    await place.publish(opening)
    inbox = await place.inbox("police", lambda inbox: contains(inbox, opening))
    expected = [(code, sha256(bad.value or b"")) for code, bad in fuzzed]
    found = [refusal for refusal in refusals(inbox) if refusal in expected]
    assert sorted(found) == sorted(expected)
    record = await place.check_inboxes()
    assert not any(SECRET in bytes(part or b"") for entry in record for part in _parts(entry.message))


async def test_poison_delays_the_events_after_it_no_more_than_valid_events_do(place: Town) -> None:
    """Five hundred refusals cost less than five times as much as five hundred valid events."""

    async def passed(before: Sequence[Message], number: int) -> tuple[float, list[Delivery]]:
        opening = Matter(place, number).opened()
        began = time.monotonic()
        await place.submit("police", *before, signed(opening))
        inbox = await place.inbox("police", lambda inbox: contains(inbox, opening))
        return time.monotonic() - began, inbox

    bad = [Message(b"key", b"%d" % number) for number in range(500)]
    good = [signed(Matter(place, 1000 + number).opened()) for number in range(500)]
    seconds_behind_good, _ = await passed(good, 102)
    seconds_behind_bad, inbox = await passed(bad, 103)
    assert seconds_behind_bad < 5 * seconds_behind_good
    hashes = {value_hash for _, value_hash in refusals(inbox)}
    assert {sha256(each.value or b"") for each in bad} <= hashes


async def test_a_gzip_bomb_goes_nowhere(place: Town) -> None:
    """The broker refuses a batch that decompresses to more than the topic's limit."""
    login = security(place.jurisdiction.kafka_settings("police"))
    async with AIOKafkaProducer(**login, compression_type="gzip", max_request_size=64_000_000) as producer:
        # The broker answers INVALID_RECORD, which aiokafka does not know.
        with pytest.raises(KafkaError):
            await producer.send_and_wait(out_topic(place.name, "police"), bytes(32_000_000), partition=0)
    opening = place.event(
        CaseOpened(entry_point=EntryPoint.HOTLINE, reporting_delay=ReportingDelay.UNKNOWN), subject=nth_id(9000)
    )
    await place.publish(opening)
    await place.inbox("police", lambda inbox: contains(inbox, opening))


def _parts(entry: Message) -> list[bytes | None]:
    return [entry.key, entry.value, *(value for _, value in entry.headers)]
