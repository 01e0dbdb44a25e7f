"""Intake: verifies the members' submissions and appends them to the record in order. Active on every exchange."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from handoff import clock, telemetry
from handoff.adapters.kafka.client import BrokerUnavailable, Sender, kafka_record, security
from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.adapters.postgres.pool import TRANSIENT
from handoff.backoff import Backoff
from handoff.config import KafkaSettings
from handoff.domain.directory import Directory
from handoff.exchange.cpu_work import run_off_loop, verify_ahead
from handoff.exchange.member_rates import MemberRates
from handoff.exchange.unassigned_topics import unassigned_topics
from handoff.exchange.validation import Submission, SubmissionValidator
from handoff.record.delivery import to_ms
from handoff.record.message import Message
from handoff.record.record_time import stamped
from handoff.record.topics import EXCHANGE, groups, out_pattern, record_topic
from handoff.verification.verifier import SignatureVerifier, VerifierLost

BATCH = 1000
# The minimum that brokers accept. The topics of a crashed exchange are reassigned after this time.
SESSION_MS = 6000
# Delay until the topic of an agency admitted at run time is assigned.
METADATA_MS = 1000
# Submissions without a committed offset are appended again after a crash, and the first occurrence counts. Awaiting
# every commit would cost throughput all the time.
COMMIT_SECONDS = 0.1
LEAVE_SECONDS = 2.0

Fetched = Mapping[TopicPartition, list[Any]]
_RETRY: tuple[type[Exception], ...] = (KafkaError, BrokerUnavailable, VerifierLost, *TRANSIENT)
_log = structlog.get_logger()


class SubmissionIntake:
    """Consumer of every member's outgoing topic, and the only writer of the record."""

    def __init__(
        self,
        kafka: KafkaSettings,
        store: ExchangeStore,
        validator: SubmissionValidator,
        directory: Directory,
        *,
        instance: str,
        verifier: SignatureVerifier,
        rates: MemberRates,
        clock: Callable[[], datetime] = clock.now,
    ) -> None:
        self._kafka = kafka
        self._store = store
        self._validator = validator
        self._instance = instance
        self._verifier = verifier
        self._rates = rates
        self._directory = directory
        self._version = -1
        self._record = record_topic(directory.jurisdiction)
        self._pattern = out_pattern(directory.jurisdiction)
        self._group = groups(directory.jurisdiction, EXCHANGE)[0]
        self._sender = Sender(kafka, client_id="exchange-intake")
        self._clock = clock
        self._founding: Submission | None = None
        self._appended: dict[TopicPartition, int] = {}
        self._held: dict[TopicPartition, float] = {}
        """Topics that are held back → monotonic time at which each is resumed."""
        self._committed = 0.0
        self.consuming = False

    async def run(self) -> None:
        """Run until cancelled. After a failure, read again from the last committed offset."""
        backoff = Backoff()
        try:
            while True:
                try:
                    await self._consume(backoff)
                except _RETRY as error:
                    self.consuming = False
                    _log.warning("intake.restarted", error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(backoff.pause())
        finally:
            self.consuming = False
            await self._sender.close()

    async def _consume(self, backoff: Backoff) -> None:
        consumer = self._new_consumer()
        all_assigned = False
        try:
            await consumer.start()
            consumer.subscribe(pattern=self._pattern)
            await self._refresh_directory()
            while True:
                self._resume(consumer)
                fetched = await consumer.getmany(timeout_ms=self._wait_ms(), max_records=BATCH)
                backoff.reset()
                self.consuming = bool(consumer.assignment())
                if fetched or not self._directory.founded:
                    await completed(self._process(consumer, fetched))
                    self._hold_back(consumer, fetched)
                if time.monotonic() - self._committed >= COMMIT_SECONDS:
                    await self._commit(consumer)
                if self.consuming and not all_assigned:
                    all_assigned = await self._all_assigned(consumer)
        finally:
            await self._close(consumer)

    async def _close(self, consumer: AIOKafkaConsumer) -> None:
        with suppress(KafkaError, OSError, TimeoutError):
            await asyncio.wait_for(self._commit(consumer), LEAVE_SECONDS)
        self._appended.clear()
        self._held.clear()
        await consumer.stop()

    def _wait_ms(self) -> int:
        """Return the time to wait for submissions: until the next topic is resumed, if one is held back."""
        wait_ms = 500 if self._directory.founded else 50
        resumed_ms = (min(self._held.values(), default=math.inf) - self._rates.monotonic()) * 1000
        return int(max(0, min(wait_ms, resumed_ms)))

    def _hold_back(self, consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
        """Pause the topics of members above their rate. A paused topic is read again from where it was left."""
        for tp, records in fetched.items():
            member = Submission.member_of(tp.topic)
            seconds = self._rates.count(member, len(records))
            if seconds > 0 and tp in consumer.assignment():
                consumer.pause(tp)
                self._held[tp] = self._rates.monotonic() + seconds
                telemetry.HELD_BACK_SECONDS.labels(member).inc(seconds)
                _log.warning("intake.member_held_back", member=member, seconds=round(seconds, 3))

    def _resume(self, consumer: AIOKafkaConsumer) -> None:
        for tp in [tp for tp, until in self._held.items() if until <= self._rates.monotonic()]:
            del self._held[tp]
            # A topic that was assigned to another exchange is not paused any more.
            if tp in consumer.assignment():
                consumer.resume(tp)

    async def _all_assigned(self, consumer: AIOKafkaConsumer) -> bool:
        """Return whether every outgoing topic is assigned; if one is not, join the group again to force a rebalance."""
        unassigned = await unassigned_topics(self._kafka, self._group, self._pattern)
        if unassigned:
            _log.info("intake.topics_unassigned", topics=sorted(unassigned))
            consumer._coordinator.request_rejoin()  # noqa: SLF001 - to subscribe again to the same has no effect
        return unassigned == frozenset()

    def _new_consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **security(self._kafka),
            client_id="exchange-intake",
            group_id=self._group,
            # Static membership: a process that is killed and restarted gets its own topics back without a rebalance.
            group_instance_id=self._instance,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 6,
            metadata_max_age_ms=METADATA_MS,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def _process(self, consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
        was_founded = self._directory.founded
        await self._refresh_directory()
        if not self._directory.founded:
            await self._found(_submissions(fetched))
        elif not was_founded:
            await _rewind(consumer)
        else:
            await self._append(_submissions(fetched))
            self._appended |= {tp: records[-1].offset + 1 for tp, records in fetched.items()}

    async def _refresh_directory(self) -> None:
        # A member publishes only under a key that it saw in force, so the stored directory contains that key.
        newer = await self._store.newer_directory(self._version)
        if newer is not None:
            self._version, self._directory = newer

    async def _found(self, submissions: list[Submission]) -> None:
        """Append the founding event alone, as the record's first entry. Everything else is read again afterwards."""
        founding = next(filter(self._validator.is_founding, submissions), None)
        if founding is not None and self._founding is None:
            await self._sender.send(self._record, [self._stamped(founding.message)])
            self._founding = founding
        elif submissions:
            _log.warning("intake.waiting_for_founding_event", count=len(submissions))

    def _stamped(self, message: Message) -> Message:
        return replace(message, headers=stamped(message.headers, to_ms(self._clock())))

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        self._committed, appended = time.monotonic(), self._appended
        self._appended = {}
        if not appended:
            return
        try:
            await consumer.commit(appended)
        except (CommitFailedError, IllegalStateError) as error:
            # The topics were assigned to another exchange, which appends them again: the first occurrence counts.
            _log.info("intake.topics_revoked", error=type(error).__name__)

    async def _append(self, submissions: list[Submission]) -> None:
        submissions = [submission for submission in submissions if submission != self._founding]
        await verify_ahead(self._verifier, [one.message for one in submissions], self._directory.keys)
        codes = await run_off_loop(len(submissions), lambda: self._validator.objections(submissions, self._directory))
        appended = self._validator.to_append(submissions, codes, self._directory)
        await self._sender.send(self._record, [self._stamped(message) for message, _ in appended])
        outcomes = [code or "accepted" for code in codes]
        for outcome, count in Counter(outcomes).items():
            telemetry.SUBMISSIONS.labels(outcome).inc(count)
        for submission, outcome in zip(submissions, outcomes, strict=True):
            _log.info(
                "intake.submission_processed",
                member=submission.member,
                offset=submission.record.offset,
                outcome=outcome,
            )


async def completed(step: Coroutine[Any, Any, None]) -> None:
    """Await ``step``. If the exchange stops, let it end first, so that what it sent is committed and not sent again."""
    task = asyncio.create_task(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(*_RETRY, TimeoutError):
            await asyncio.wait_for(task, LEAVE_SECONDS)
        raise


def _submissions(fetched: Fetched) -> list[Submission]:
    return [Submission(tp.topic, kafka_record(record)) for tp, records in fetched.items() for record in records]


async def _rewind(consumer: AIOKafkaConsumer) -> None:
    for tp in consumer.assignment():
        committed = await consumer.committed(tp)
        if committed is None:
            await consumer.seek_to_beginning(tp)
        else:
            consumer.seek(tp, committed)
