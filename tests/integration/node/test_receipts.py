"""Receipts complete the rows of a node's outbox, on a real database and over HTTP; a missing one is reported."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import cast
from uuid import UUID

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from handoff import clock
from handoff.adapters.http.audit_client import AuditClient
from handoff.adapters.http.server import http_server
from handoff.adapters.postgres.proof_store import ProofStore
from handoff.config import AuditSettings, HttpSettings
from handoff.domain.decide import About
from handoff.node.attestation.quorum import QuorumTracker
from handoff.node.attestation.receipts import AuditUnavailable, ReceiptCollector
from handoff.node.rows import OutboxRow
from handoff.proof.log.entry import record_hash
from handoff.record import codec
from handoff.record.codes import RefusalCode
from handoff.record.delivery import EFFECTIVE, Delivery, Verdict, ineffective, invalid
from handoff.record.envelope import EXCHANGE, Identity
from handoff.record.events.directory import SubmissionRefused
from handoff.record.events.referral import ReferralOpened
from handoff.record.kafka_record import KafkaRecord
from handoff.wakeup import Wakeup
from tests.support.dsl.referral_events import Matter
from tests.support.parts.checkpoints import PlayedLog, bodies
from tests.support.parts.node_parts import OPENING, Parts, request_a_place
from tests.support.parts.node_process import free_port
from tests.support.probes.eventually import eventually

TOKEN = "police's own"
ENOUGH = ("monitor", "police", "shelter")


@dataclass
class PlayedAudit:
    """The audit API, in the audit's place: it hands out what it was given."""

    played: PlayedLog
    port: int = field(default_factory=free_port)
    given: dict[str, str] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    is_unavailable: bool = False
    refused: int = 0

    @cached_property
    def client(self) -> AuditClient:
        """HTTP client in place of the node's; its connections are closed with the server."""
        return AuditClient(AuditSettings(url=f"http://127.0.0.1:{self.port}/", token=SecretStr(TOKEN)))

    def covers(self, records: list[KafkaRecord], size: int) -> None:
        """Signs receipts for these entries of an inbox, which a checkpoint of that size covers."""
        for delivery in (Delivery.from_message(record.message) for record in records):
            delivered = delivery.message
            content = record_hash(delivered.key, delivered.value, delivered.headers)
            event = codec.decode(delivered.value or b"")
            self.given[str(event.id)] = self.played.receipt(
                event.identity, content, size, verdict=delivery.verdict
            ).decode()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serves on its port."""
        app = Starlette(routes=[Route("/receipts", self._answer, methods=["POST"])])
        server = http_server(app, HttpSettings(port=self.port))
        task = asyncio.create_task(server.serve())
        try:
            await eventually(lambda: _is_true(server.started))
            yield
        finally:
            await self.client.close()
            server.should_exit = True
            await task

    async def _answer(self, request: Request) -> Response:
        if self.is_unavailable:
            self.refused += 1
            return Response(status_code=503)
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return Response(status_code=401)
        events = (await request.json())["events"]
        self.asked.append(len(events))
        known = (event | {"receipt": self.given[event["id"]]} for event in events if event["id"] in self.given)
        return JSONResponse({"receipts": list(known)})


async def _is_true(value: object) -> bool:
    return bool(value)


@dataclass
class Desk:
    """The police's receipts, with log and audit played by the test."""

    police: Parts
    played: PlayedLog
    audit: PlayedAudit
    quorum: QuorumTracker
    receipts: ReceiptCollector

    async def prove(self, size: int, *cosigners: str) -> None:
        """Lets the node hear that these have cosigned the head of that size."""
        for name in cosigners:
            await self.quorum.process(bodies([self.played.cosigned(self.played.request(0, size), name)]))

    async def request_a_place(self) -> tuple[tuple[UUID, ...], list[KafkaRecord]]:
        """The police ask for a place, and the record answers."""
        _, _, events = await request_a_place(self.police.desk())
        echoes = await self.police.echoes()
        await (await self.police.intake()).handle(echoes)
        return events, echoes

    async def ended(self) -> set[UUID]:
        """The own events whose row has ended."""
        return {row["id"] for row in await self.police.query("outbox_rows_with_receipt")}


def receipts_of(police: Parts, played: PlayedLog, audit: PlayedAudit, *, patience: float = 60) -> Desk:
    store = ProofStore(police.pool)
    quorum = QuorumTracker(store, lambda: played.trust, played.origin, Wakeup())
    return Desk(police, played, audit, quorum, ReceiptCollector(store, audit.client, quorum, clock.now, 0.2, patience))


@pytest.fixture
async def desk(police: Parts) -> AsyncIterator[Desk]:
    played = PlayedLog(police.town.name)
    audit = PlayedAudit(played)
    async with audit.serving():
        yield receipts_of(police, played, audit)


async def test_a_receipt_ends_the_row_and_what_it_answered_stays(desk: Desk) -> None:
    """Its bytes are in the inbox alone; its outcome, the feed and the refusal to say it twice are as before."""
    events, echoes = await desk.request_a_place()
    desk.audit.covers(echoes, 9)
    await desk.prove(9, *ENOUGH)
    fed = await desk.police.desk().feed(0, 100)
    rows = await desk.police.query("outbox")
    assert await desk.receipts.round() == len(events)
    assert await desk.police.query("outbox_rows_with_value") == []
    assert await desk.police.desk().outcome(events, 0) == EFFECTIVE
    assert await desk.police.desk().feed(0, 100) == fed
    async with desk.police.store.transaction() as tx:
        again = [codec.decode(row["value"]) for row in rows]
        assert await tx.enqueue([OutboxRow.of(event, clock.now()) for event in again]) == 0
    assert await desk.receipts.round() == 0


async def test_a_receipt_counts_only_under_a_checkpoint_for_which_enough_have_vouched(desk: Desk) -> None:
    events, echoes = await desk.request_a_place()
    desk.audit.covers(echoes, 9)
    await desk.prove(9, "monitor")
    assert await desk.receipts.round() == 0
    await desk.prove(8, *ENOUGH)
    assert await desk.receipts.round() == 0
    await desk.prove(9, *ENOUGH)
    assert await desk.receipts.round() == len(events)


async def test_proven_and_ended_receipts_survive_a_restart(desk: Desk) -> None:
    _, echoes = await desk.request_a_place()
    desk.audit.covers(echoes[:1], 9)
    await desk.prove(9, *ENOUGH)
    await desk.receipts.round()
    again = receipts_of(desk.police, desk.played, desk.audit)
    await again.quorum.begin()
    assert again.quorum.proven == desk.quorum.proven
    desk.audit.covers(echoes, 9)
    assert await again.receipts.round() == len(echoes) - 1


async def test_a_cosignature_that_only_claims_to_be_one_counts_for_nothing(desk: Desk) -> None:
    """Others' true cosignatures beside it do not count either: they come in notes of their own."""
    request = desk.played.request(0, 9)
    strangers = PlayedLog("elsewhere").cosigned(PlayedLog("elsewhere").request(0, 9), "shelter").note
    claim = strangers.splitlines()[-1].replace(b"handoff/elsewhere/", f"handoff/{desk.played.jurisdiction}/".encode())
    await desk.quorum.process([(0, request.encode() + claim + b"\n")])
    await desk.prove(9, "monitor", "police")
    assert desk.quorum.proven.size == 0
    await desk.prove(9, "shelter")
    assert desk.quorum.proven.size == 9


async def test_an_invalid_receipt_settles_nothing_and_is_reported_once(desk: Desk) -> None:
    events, echoes = await desk.request_a_place()
    desk.audit.covers(echoes, 9)
    first, second, third = (str(event) for event in events)
    desk.audit.given[first] = desk.audit.given[second]
    desk.audit.given[third] = desk.audit.given[third].replace("\n9\n", "\n8\n")
    await desk.prove(9, *ENOUGH)
    with capture_logs() as lines:
        assert await desk.receipts.round() == 1
        assert await desk.receipts.round() == 0
    logged = [(line["event_id"], line["why"]) for line in lines if line["event"] == "receipt.invalid"]
    assert logged == [(first, "other_event"), (third, "invalid_signature")]


async def _answered(police: Parts) -> KafkaRecord:
    """The shelter opens what the police asked. Return its event as delivered to the police."""
    matter = Matter(police.town, 3)
    asked, opened = (
        police.post(matter.asked()),
        police.post(matter.by("shelter", ReferralOpened(referral=matter.referral))),
    )
    await (await police.intake()).handle([asked, opened])
    return opened


@pytest.mark.parametrize(
    ("why", "verdict", "rules"),
    [
        ("other_bytes", EFFECTIVE, 1),
        ("other_verdict", ineffective("requested"), 1),
        (None, ineffective("requested"), 2),
    ],
    ids=["other bytes", "another verdict", "another version of the rules"],
)
async def test_a_receipt_that_contradicts_the_delivery_is_evidence(
    desk: Desk, why: str | None, verdict: Verdict, rules: int
) -> None:
    """The log signed one thing and the exchange another about one event: both signatures are stored, and reported."""
    police, reported = desk.police, list[str]()
    delivered = await _answered(police)
    [row] = [row for row in await police.query("received") if row["sequence"] == police.sequence]
    message = Delivery.from_message(delivered.message).message
    event = codec.decode(message.value or b"")
    content = bytes(32) if why == "other_bytes" else record_hash(message.key, message.value, message.headers)
    receipt = desk.played.receipt(event.identity, content, 9, verdict=verdict, rules=rules)
    desk.audit.given[str(event.id)] = receipt.decode()
    await desk.prove(9, *ENOUGH)
    desk.receipts.fail = reported.append
    with capture_logs() as lines:
        await desk.receipts.round()
        await desk.receipts.round()
    evidence = [(row["sequence"], row["why"], row["receipt"]) for row in await police.query("contradicting_receipts")]
    logged = [line["why"] for line in lines if line["event"] == "receipt.contradicts_delivery"]
    if why is None:
        assert (evidence, logged, reported) == ([], [], [])
    else:
        assert evidence == [(row["sequence"], why, receipt)]
        assert (logged, set(reported)) == ([why], {"contradiction"})


async def test_a_delivery_that_the_log_does_not_know_is_reported(desk: Desk) -> None:
    """An exchange that delivers something off the record gets no receipt for it."""
    police = desk.police
    await _answered(police)
    await desk.prove(9, *ENOUGH)
    impatient = receipts_of(police, desk.played, desk.audit, patience=-60)
    await impatient.quorum.begin()
    with capture_logs() as lines:
        await impatient.receipts.round()
        await impatient.receipts.round()
    missing = [line["sequence"] for line in lines if line["event"] == "receipt.missing_for_delivery"]
    assert missing.count(police.sequence) == 1


async def test_an_event_without_a_receipt_after_its_time_is_alarmed_once(desk: Desk) -> None:
    events, echoes = await desk.request_a_place()
    desk.audit.covers(echoes[:1], 9)
    await desk.prove(9, *ENOUGH)
    with capture_logs() as early:
        desk.receipts.clock = lambda: clock.now() + timedelta(seconds=55)
        await desk.receipts.round()
    assert [line for line in early if line["event"] == "receipt.missing"] == []
    with capture_logs() as lines:
        desk.receipts.clock = lambda: clock.now() + timedelta(seconds=61)
        await desk.receipts.round()
        await desk.receipts.round()
        await receipts_of(desk.police, desk.played, desk.audit, patience=0).receipts.round()
    missing = [line["event_id"] for line in lines if line["event"] == "receipt.missing"]
    assert sorted(missing) == sorted(map(str, events[1:]))


async def test_an_event_that_lost_a_race_gets_its_receipt_and_a_refused_one_stays(desk: Desk) -> None:
    police = desk.police
    lost = await police.desk().submit(OPENING, About())
    lost_echoes = await police.echoes(ineffective("suspended"))
    await (await police.intake()).handle(lost_echoes)
    await police.desk().submit(OPENING, About())
    (row,) = await police.query("outbox_rows_without_echo")
    body = SubmissionRefused(member="police", code=RefusalCode.SIGNATURE, value_hashes=(row["value_hash"],))
    await (await police.intake()).handle([police.post(police.town.event(body, emitter=EXCHANGE))])
    await police.desk().submit(OPENING, About())
    spoilt = await police.echoes(invalid(RefusalCode.KEY_NOT_IN_FORCE))
    await (await police.intake()).handle(spoilt)
    desk.audit.covers([*lost_echoes, *spoilt], 9)
    await desk.prove(9, *ENOUGH)
    impatient = receipts_of(police, desk.played, desk.audit, patience=0)
    await impatient.quorum.begin()
    with capture_logs() as lines:
        await impatient.receipts.round()
    assert await desk.ended() == set(lost.events)
    assert [line for line in lines if line["event"] == "receipt.missing"] == []
    assert len(await police.query("outbox_rows_with_value")) == 2


async def test_an_unavailable_audit_does_not_block_commands_and_is_asked_again(desk: Desk) -> None:
    events, echoes = await desk.request_a_place()
    desk.audit.covers(echoes, 9)
    await desk.prove(9, *ENOUGH)
    desk.audit.is_unavailable = True
    with pytest.raises(AuditUnavailable):
        await desk.receipts.round()
    task = asyncio.create_task(desk.receipts.run())
    try:
        refused = desk.audit.refused
        await eventually(lambda: _is_true(desk.audit.refused > refused))
        opened = await desk.police.desk().submit(OPENING, About())
        assert opened.events
        assert await desk.ended() == set()
        desk.audit.is_unavailable = False

        async def all_ended() -> bool:
            return await desk.ended() == set(events)

        await eventually(all_ended)
    finally:
        task.cancel()


async def test_an_audit_without_a_listener_or_with_a_malformed_answer_is_unavailable(desk: Desk) -> None:
    no_one = receipts_of(desk.police, desk.played, PlayedAudit(desk.played))
    with pytest.raises(AuditUnavailable):
        await no_one.receipts.audit.receipts([Identity("case", "/small/1/police", UUID(int=1))])
    desk.audit.given[str(UUID(int=1))] = cast("str", 7)
    with pytest.raises(AuditUnavailable):
        await desk.receipts.audit.receipts([Identity("case", "/small/1/police", UUID(int=1))])


async def test_more_events_than_one_question_holds_are_asked_for_in_pages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row without a receipt at the front does not block the rows after it."""
    monkeypatch.setattr("handoff.node.attestation.receipts.MAX_EVENTS", 2)
    _, echoes = await desk.request_a_place()
    desk.audit.covers(echoes[-1:], 9)
    await desk.prove(9, *ENOUGH)
    assert await desk.receipts.round() == 1
    assert desk.audit.asked[:2] == [2, 1]
