"""Intake of a node's inbox, on a real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

import asyncpg
import pytest
from structlog.testing import capture_logs

from handoff.adapters.postgres import node_transaction
from handoff.domain.decide import About
from handoff.domain.policies import CONFIRM_DELIVERY
from handoff.leadership import LeadershipLost
from handoff.node.commands.results import StoreUnavailable
from handoff.node.inbox.fold import IMPOSSIBLE, NEWER_TYPE, InboxFold
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.inbox.rebuild import rebuild
from handoff.record import codec, message
from handoff.record.codec import AnyEvent
from handoff.record.codes import (
    AnsweredVia,
    BasisKind,
    CaseService,
    RedactionReason,
    RefusalCode,
    ReleasePurpose,
    StartKind,
    State,
    Urgency,
)
from handoff.record.delivery import EFFECTIVE, BrokenDelivery, DeliveryFault, Verdict, VerdictKind, ineffective
from handoff.record.envelope import EXCHANGE
from handoff.record.events import Audience, Emitter
from handoff.record.events.base import ReferralBody
from handoff.record.events.directory import SubmissionRefused, ValueRedacted
from handoff.record.events.referral import (
    AcceptanceClaimed,
    BasisSnapshot,
    ReferralOpened,
    ReferralRequested,
    ReferralStarted,
)
from handoff.record.kafka_record import KafkaRecord
from handoff.record.redaction import Redaction
from handoff.record.upcasting import Upcaster
from tests.support.dsl.builders import BASIS, CASE, REFERRAL, T0, after, key_of, nth_id, signed
from tests.support.parts.node_parts import OPENING, Parts, node_parts, request_a_place
from tests.support.parts.record_writer import RecordedCase
from tests.support.parts.stack import Jurisdictions


@pytest.fixture(scope="module")
async def _parts(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Parts]]:
    async with node_parts(jurisdictions, tmp_path_factory.mktemp("intake"), ("police", "shelter")) as parts:
        yield parts


@pytest.fixture
async def police(_parts: list[Parts]) -> Parts:
    """Parts of the police's node, before the first event."""
    await _parts[0].wipe()
    return _parts[0]


@pytest.fixture
async def shelter(_parts: list[Parts]) -> Parts:
    """Parts of the shelter's node, before the first event."""
    await _parts[1].wipe()
    return _parts[1]


def a_request(parts: Parts, number: int = 0) -> AnyEvent:
    """The police asking the shelter for a place; each number is another referral."""
    body = ReferralRequested(
        referral=REFERRAL if number == 0 else nth_id(number),
        target="shelter",
        service=CaseService.SHELTER,
        urgency=Urgency.EMERGENCY,
        basis=BasisSnapshot(
            basis=BASIS,
            kind=BasisKind.ORAL_WITNESSED,
            purpose=ReleasePurpose.ARRANGE_SHELTER,
            recipient="shelter",
            expires_at=after(days=30),
        ),
    )
    return parts.town.event(body)


async def test_the_directory_is_folded_from_the_founding_on(police: Parts) -> None:
    intake = await police.intake()
    await intake.handle(police.founding())
    directory = await police.desk().directory()
    assert set(directory.members) == {m.id for m in police.town.jurisdiction.plan.members}
    assert directory.signing_key(key_of("shelter").id, T0) is not None


async def test_a_redelivered_entry_is_folded_once(shelter: Parts) -> None:
    intake = await shelter.intake()
    entries = [*shelter.founding(), shelter.post(a_request(shelter))]
    await intake.handle(entries)
    before = await shelter.query("node_cases")
    await intake.handle([replace(entry, offset=entry.offset + len(entries)) for entry in entries[3:]])
    await intake.handle(entries)
    assert await shelter.query("node_cases") == before
    assert len(await shelter.query("node_inbox")) == len(entries)


async def test_a_gap_stops_the_intake_after_the_entries_before_it(shelter: Parts) -> None:
    intake = await shelter.intake()
    founding = shelter.founding()
    await intake.handle(founding[:3])
    with pytest.raises(BrokenDelivery) as gap:
        await intake.handle([founding[3], founding[5]])
    assert gap.value.fault is DeliveryFault.GAP
    assert len(await shelter.query("node_inbox")) == 4
    again = await shelter.intake()
    await again.handle(founding[4:])
    assert len(await shelter.query("node_inbox")) == len(founding)


async def test_a_replaced_process_folds_nothing_more(shelter: Parts) -> None:
    zombie = await shelter.intake()
    await shelter.intake()
    with pytest.raises(LeadershipLost):
        await zombie.handle(shelter.founding())


async def test_an_echo_settles_a_decision_and_wakes_its_caller(police: Parts) -> None:
    intake, desk = await police.intake(), police.desk()
    await intake.handle(police.founding())
    case, referral, events = await request_a_place(desk)
    waiting = asyncio.create_task(desk.outcome(events, 10))
    view = await desk.case(case)
    assert view is not None
    assert (view.folded.referrals, view.pending) == ({}, events)
    await intake.handle(await police.echoes())
    assert await waiting == EFFECTIVE
    view = await desk.case(case)
    assert view is not None
    assert view.pending == ()
    assert view.folded.referrals[referral].state is State.REQUESTED
    assert [row.id for row in await desk.referrals()] == [referral]


async def test_an_event_that_lost_a_race_changes_nothing_and_is_returned_to_its_sender(police: Parts) -> None:
    intake, desk = await police.intake(), police.desk()
    await intake.handle(police.founding())
    opened = await desk.submit(OPENING, About())
    await intake.handle(await police.echoes(ineffective("suspended")))
    assert await desk.outcome(opened.events, 0) == ineffective("suspended")
    assert await police.query("node_cases") == []
    (last,) = await desk.feed(police.sequence - 1, 10)
    assert (last.own, last.verdict, last.reason) == (True, VerdictKind.INEFFECTIVE, "suspended")


async def test_a_refused_submission_is_settled_by_its_hash(police: Parts) -> None:
    intake, desk = await police.intake(), police.desk()
    await intake.handle(police.founding())
    opened = await desk.submit(OPENING, About())
    (row,) = await police.query("outbox")
    body = SubmissionRefused(member="police", code=RefusalCode.SIGNATURE, value_hashes=(row["value_hash"],))
    await intake.handle([police.post(police.town.event(body, emitter=EXCHANGE))])
    assert await desk.outcome(opened.events, 0) == Verdict(VerdictKind.INVALID, "signature")
    (routed,) = await desk.feed(police.sequence - 1, 10)
    assert (routed.own, routed.settles) == (False, *opened.events)


async def test_policies_stay_off_until_the_inbox_is_folded_to_its_end(shelter: Parts) -> None:
    entries = [*shelter.founding(), shelter.post(a_request(shelter))]
    intake = await shelter.intake((CONFIRM_DELIVERY,), end=len(entries) + 1)
    await intake.handle(entries)
    assert not intake.caught_up
    assert await shelter.query("outbox") == []
    await intake.handle([shelter.post(a_request(shelter, 1))])
    assert intake.caught_up
    stored = await shelter.query("outbox")
    assert {(row["type"], row["referral"]) for row in stored} == {
        ("referral.delivered.v1", REFERRAL),
        ("referral.delivered.v1", nth_id(1)),
    }


async def test_a_policy_reacts_once_however_often_its_node_restarts(shelter: Parts) -> None:
    intake = await shelter.intake((CONFIRM_DELIVERY,))
    entries = [*shelter.founding(), shelter.post(a_request(shelter))]
    await intake.handle(entries)
    (first,) = await shelter.query("outbox_ids_and_values")
    await intake.handle(await shelter.echoes(ineffective("revoked")))
    await rebuild(shelter.store, shelter.me, shelter.genesis_hash)
    await shelter.intake((CONFIRM_DELIVERY,))
    assert await shelter.query("outbox_ids_and_values") == [first]


async def test_an_entry_not_signed_by_its_emitter_is_quarantined(shelter: Parts) -> None:
    intake = await shelter.intake()
    forged = a_request(shelter)
    await intake.handle(
        [*shelter.founding(), shelter.post(message.sign(forged.subject, codec.encode(forged), key_of("legal_aid")))]
    )
    assert await shelter.query("node_cases") == []
    (row,) = await shelter.query("quarantine")
    assert tuple(row) == (shelter.sequence, "key_not_owner")


async def test_an_impossible_transition_parks_only_its_referral(shelter: Parts) -> None:
    intake = await shelter.intake()
    started = ReferralStarted(referral=REFERRAL, kind=StartKind.ARRIVAL)
    await intake.handle(
        [
            *shelter.founding(),
            shelter.post(a_request(shelter)),
            shelter.post(a_request(shelter, 1)),
            shelter.post(shelter.town.event(started, emitter="shelter")),
            shelter.post(shelter.town.event(ReferralOpened(referral=REFERRAL), emitter="shelter")),
            shelter.post(shelter.town.event(ReferralOpened(referral=nth_id(1)), emitter="shelter")),
        ]
    )
    view = await shelter.desk().case(CASE)
    assert view is not None
    assert view.parked == (REFERRAL,)
    assert view.folded.referrals[REFERRAL].opened_at is None
    assert view.folded.referrals[nth_id(1)].opened_at == T0
    assert [row["why"] for row in await shelter.query("parked_cases")] == [IMPOSSIBLE]


class PromiseHeard(ReferralBody):
    """A later release's word for an acceptance that was claimed."""

    type: ClassVar = "promise.heard.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET

    via: AnsweredVia


AS_CLAIMED = Upcaster(PromiseHeard, lambda old: AcceptanceClaimed(**dict(old)))


async def test_a_newer_type_parks_its_referral_until_the_upgrade(
    shelter: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = await shelter.intake()
    await intake.handle(
        [
            *shelter.founding(),
            shelter.post(a_request(shelter)),
            shelter.post(shelter.town.event(PromiseHeard(referral=REFERRAL, via=AnsweredVia.PHONE))),
            shelter.post(shelter.town.event(ReferralOpened(referral=REFERRAL), emitter="shelter")),
        ]
    )
    (row,) = await shelter.desk().referrals()
    assert (row.parked, row.seen) == (True, 1)
    assert [row["why"] for row in await shelter.query("parked_cases")] == [NEWER_TYPE]

    upgraded = partial(codec.decode, upcasters={PromiseHeard.type: AS_CLAIMED})
    monkeypatch.setattr(codec, "decode", upgraded)
    await rebuild(shelter.store, shelter.me, shelter.genesis_hash)
    (row,) = await shelter.desk().referrals()
    assert (row.parked, row.seen, row.opened_at) == (False, 3, T0)


async def test_a_rebuild_gives_the_same_tables_to_the_byte(police: Parts) -> None:
    intake, desk = await police.intake(), police.desk()
    await intake.handle(police.founding())
    for _ in range(3):
        await request_a_place(desk)
    await intake.handle(await police.echoes())
    unheard = await desk.submit(OPENING, About())
    report = await rebuild(police.store, police.me, police.genesis_hash)
    assert report.identical
    assert set(report.before) == {"cases", "directory", "referrals"}
    assert report.unpublished == unheard.events


async def test_own_events_that_the_outbox_lost_come_back_with_their_echo(police: Parts) -> None:
    intake, desk = await police.intake(), police.desk()
    await intake.handle(police.founding())
    opened = await desk.submit(OPENING, About())
    echoes = await police.echoes()
    kept = await police.query("outbox_events")
    await police.wipe()
    intake = await police.intake()
    await intake.handle([*police.founding(), *echoes])
    assert await police.query("outbox_events") == kept
    assert await desk.outcome(opened.events, 0) == EFFECTIVE


INTERRUPT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"


async def test_an_interrupted_database_means_the_same_again(police: Parts) -> None:
    intake = await police.intake()
    founding = police.founding()
    operator = await asyncpg.connect(police.town.jurisdiction.postgres.dsn())
    database = f"{police.town.name}_police"
    interrupted = 0
    try:
        for entry in founding:
            await police.query("node_position")
            await operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
            )
            interrupted += await repeats_of(intake.handle, entry)
    finally:
        await operator.close()
    assert interrupted > 0
    assert len(await police.query("node_inbox")) == len(founding)
    assert (await police.desk().directory()).members.keys() == {m.id for m in police.town.jurisdiction.plan.members}


async def repeats_of(handle: Callable[[list[KafkaRecord]], Awaitable[None]], entry: KafkaRecord) -> int:
    """Return how many repeated deliveries it skipped."""
    for repeats in range(20):
        try:
            await handle([entry])
        except StoreUnavailable:
            continue
        return repeats
    raise AssertionError("the database stayed away")


async def test_a_rebuild_has_few_cases_in_memory_and_gives_the_same_tables(
    police: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases that were saved and forgotten are loaded again for their later entries."""
    cases, batch, most = 12, 5, 3
    stories = [RecordedCase(police.town, number) for number in range(1, cases + 1)]
    rounds = zip(*([*story.request(), *story.arrival()] for story in stories), strict=True)
    intake = await police.intake()
    await intake.handle(police.founding())
    for events in rounds:
        await intake.handle([police.post(event) for event in events])

    monkeypatch.setattr(node_transaction, "_INBOX_BATCH", batch)
    in_memory, apply = list[int](), InboxFold.apply

    def counted(fold: InboxFold, entry: InboxEntry) -> None:
        apply(fold, entry)
        in_memory.append(len(fold.cases))

    monkeypatch.setattr(InboxFold, "apply", counted)
    report = await rebuild(police.store, police.me, police.genesis_hash, most_cases=most)
    assert report.identical
    assert report.cases == cases
    assert most < max(in_memory) <= most + batch
    assert len(await police.desk().referrals()) == cases


def _stub_and_order(shelter: Parts, reason: RedactionReason = RedactionReason.PERSONAL_DATA) -> list[KafkaRecord]:
    """A redacted entry of which this node has seen nothing before, and the coordinator's order to redact it."""
    original = signed(next(iter(RecordedCase(shelter.town, 7).request())))
    stub = Redaction.of(original.value or b"", RedactionReason.PERSONAL_DATA)
    order = ValueRedacted(offset=40, value_hash=stub.value_sha256, reason=reason)
    return [shelter.post(replace(original, value=stub.stub)), shelter.post(shelter.town.event(order))]


@pytest.mark.parametrize("batches", [1, 2])
async def test_a_stub_is_held_until_the_coordinators_order_arrives(shelter: Parts, batches: int) -> None:
    """The order follows in the same batch or a later one, while the node reads what it has missed."""
    await shelter.wipe()
    intake = await shelter.intake(end=None)
    await intake.handle(shelter.founding())
    stub, order = _stub_and_order(shelter)
    with capture_logs() as logs:
        for batch in ([stub, order],) if batches == 1 else ([stub], [order]):
            await intake.handle(batch)
        assert await shelter.query("quarantine") == []
        await intake.reach(order.offset + 1)
    assert "inbox.stub_without_order" not in {line["event"] for line in logs}


@pytest.mark.parametrize("order", [None, RedactionReason.COURT_ORDER])
async def test_a_stub_without_an_order_is_tampering(shelter: Parts, order: RedactionReason | None) -> None:
    """An order with another reason does not count. The alarm comes once everything missed has been read."""
    await shelter.wipe()
    intake = await shelter.intake(end=None)
    await intake.handle(shelter.founding())
    posted = _stub_and_order(shelter, order or RedactionReason.PERSONAL_DATA)[: 1 if order is None else 2]
    with capture_logs() as logs:
        await intake.handle(posted)
        before = [line["event"] for line in logs]
        await intake.reach(posted[-1].offset + 1)
    assert "inbox.stub_without_order" not in before
    assert [line["log_level"] for line in logs if line["event"] == "inbox.stub_without_order"] == ["critical"]
    assert [row["code"] for row in await shelter.query("quarantine")] == ["no_order_personal_data"]


async def test_a_rebuild_holds_the_same_stubs(shelter: Parts) -> None:
    """The stored inbox gives them again."""
    await shelter.wipe()
    intake = await shelter.intake()
    await intake.handle([*shelter.founding(), _stub_and_order(shelter)[0]])
    report = await rebuild(shelter.store, shelter.me, shelter.genesis_hash)
    assert report.before == report.after
    assert [row["code"] for row in await shelter.query("quarantine")] == ["no_order_personal_data"]
