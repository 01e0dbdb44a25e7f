"""An inbox is believed only where the exchange signed it: its broker password alone tells a node nothing."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest

from handoff import clock
from handoff.adapters.postgres.proof_store import ProofStore
from handoff.node.attestation.quorum import QuorumTracker
from handoff.node.attestation.receipts import ReceiptCollector
from handoff.operations.node_recovery import NotSkippable, skip_entry
from handoff.record.delivery import (
    EFFECTIVE,
    RECORD_TIME_HEADER,
    VERDICT_HEADER,
    BrokenDelivery,
    Delivery,
    DeliveryFault,
    VerdictKind,
    to_ms,
)
from handoff.record.envelope import Identity
from handoff.record.events.referral import ReferralCancelled
from handoff.record.header_codec import unpack_headers
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.wakeup import Wakeup
from tests.support.dsl.builders import T0, after, signed
from tests.support.dsl.referral_events import Matter
from tests.support.parts.checkpoints import PlayedLog, bodies
from tests.support.parts.node_parts import Parts, as_one_batch


async def _asked(shelter: Parts) -> Matter:
    """The shelter is asked for a place by an entry that the exchange delivered."""
    matter = Matter(shelter.town, 7)
    await (await shelter.intake()).handle([shelter.post(matter.asked())])
    return matter


def _forged(shelter: Parts, message: Message, sequence: int) -> KafkaRecord:
    """An entry that was put into the inbox with the exchange's broker password, and without its signing key."""
    return KafkaRecord(sequence - 1, to_ms(T0), Delivery(sequence, T0, EFFECTIVE, message).to_message())


async def test_a_member_s_words_off_the_record_are_not_folded(shelter: Parts) -> None:
    """The police's own signature shows who spoke, and not that the record holds it."""
    matter = await _asked(shelter)
    [before] = await shelter.desk().referrals()
    cancelled = signed(matter.by("police", ReferralCancelled(referral=matter.referral)))
    with suppress(BrokenDelivery):
        await (await shelter.intake()).handle([_forged(shelter, cancelled, shelter.sequence + 1)])
    assert await shelter.desk().referrals() == (before,)


async def test_another_entry_under_a_known_sequence_stops_the_inbox(shelter: Parts) -> None:
    """A node does not lose an emergency because something else was delivered under its sequence before."""
    await _asked(shelter)
    emergency = signed(Matter(shelter.town, 8).asked())
    with pytest.raises(BrokenDelivery):
        await (await shelter.intake()).handle([_forged(shelter, emergency, shelter.sequence)])


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (VERDICT_HEADER, VerdictKind.INEFFECTIVE.value.encode()),
        (RECORD_TIME_HEADER, str(to_ms(after(days=300))).encode()),
    ],
)
async def test_a_changed_header_stops_the_inbox(shelter: Parts, header: str, value: bytes) -> None:
    """Verdict and record time are part of what the exchange signed."""
    arrival = shelter.post(Matter(shelter.town, 9).asked())
    honest = arrival.message
    headers = tuple((name, value if name == header else had) for name, had in honest.headers)
    assert headers != honest.headers
    with pytest.raises(BrokenDelivery):
        await (await shelter.intake()).handle([replace(arrival, message=replace(honest, headers=headers))])


async def test_two_signed_histories_are_evidence(shelter: Parts) -> None:
    """The exchange signs two entries under one sequence: the inbox stops, and both signatures are stored."""
    await _asked(shelter)
    contradicting = shelter.post(Matter(shelter.town, 8).asked(), sequence=shelter.sequence)
    intake = await shelter.intake()
    with pytest.raises(BrokenDelivery) as broken:
        await intake.handle([contradicting])
    assert broken.value.fault is DeliveryFault.CONTRADICTION
    [evidence] = await shelter.query("broken_deliveries")
    [stored] = (row for row in await shelter.query("node_inbox") if row["sequence"] == shelter.sequence)
    assert (evidence["why"], len(stored["proof"]) > 64) == ("contradiction", True)
    assert unpack_headers(evidence["headers"]) == contradicting.message.headers


async def test_a_standby_s_resend_has_another_signature_and_the_same_statement(shelter: Parts) -> None:
    """A batch of another exchange process is folded once, and stops nothing."""
    entries = [shelter.post(Matter(shelter.town, number).asked()) for number in (1, 2, 3)]
    again = as_one_batch(entries)
    assert [entry.message.headers for entry in again] != [entry.message.headers for entry in entries]
    intake = await shelter.intake()
    await intake.handle(entries[:2])
    await intake.handle(again)
    assert len(await shelter.desk().referrals()) == 3


async def test_the_entries_before_a_forged_one_are_folded_and_the_true_one_after_it_too(shelter: Parts) -> None:
    """An operator lets the inbox read past the forged entry, and no other; nothing true is lost."""
    first = shelter.post(Matter(shelter.town, 1).asked())
    emergency = Matter(shelter.town, 2)
    forged = _forged(shelter, signed(emergency.asked()), shelter.sequence + 1)
    intake = await shelter.intake()
    with pytest.raises(BrokenDelivery):
        await intake.handle([first, forged])
    assert len(await shelter.desk().referrals()) == 1
    settings = shelter.settings()
    with pytest.raises(NotSkippable):
        await skip_entry(settings, first.offset)
    await skip_entry(settings, forged.offset)
    true = replace(shelter.post(emergency.asked()), offset=forged.offset + 1)
    await (await shelter.intake()).handle([true])
    assert len(await shelter.desk().referrals()) == 2


@dataclass
class _AskedAudit:
    """An audit that notes which events a node asks it about, and has no receipt."""

    about: set[UUID] = field(default_factory=set)

    async def receipts(self, events: Iterable[Identity]) -> Mapping[Identity, bytes]:
        self.about |= {event.event_id for event in events}
        return {}


async def test_the_addressee_asks_the_log_for_what_it_received(shelter: Parts) -> None:
    """Two agencies to which the exchange delivers different entries find it out through the log."""
    matter = await _asked(shelter)
    played, audit = PlayedLog(shelter.town.name), _AskedAudit()
    store = ProofStore(shelter.pool)
    quorum = QuorumTracker(store, lambda: played.trust, played.origin, Wakeup())
    for name in ("monitor", *played.agencies):
        await quorum.process(bodies([played.cosigned(played.request(0, 9), name)]))
    assert quorum.proven.size == 9
    await ReceiptCollector(store, audit, quorum, clock.now, 0.2, 60).round()
    assert matter.asked().id in audit.about
