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
from handoff.record.delivery import (
    EFFECTIVE,
    RECORD_TIME_HEADER,
    VERDICT_HEADER,
    BrokenDelivery,
    Delivery,
    VerdictKind,
    to_ms,
)
from handoff.record.envelope import Identity
from handoff.record.events.referral import ReferralCancelled
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message
from handoff.wakeup import Wakeup
from tests.support.dsl.builders import T0, after, signed
from tests.support.dsl.referral_events import Matter
from tests.support.parts.checkpoints import PlayedLog, bodies
from tests.support.parts.node_parts import Parts


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


@dataclass
class _AskedAudit:
    """An audit that notes which events a node asks it about, and has no receipt."""

    about: set[UUID] = field(default_factory=set)

    async def receipts(self, events: Iterable[Identity]) -> Mapping[Identity, bytes]:
        self.about |= {event.event_id for event in events}
        return {}


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 11: a node asks for receipts of what it sent, never received"
)
async def test_the_addressee_asks_the_log_for_what_it_received(shelter: Parts) -> None:
    """Two agencies to which the exchange delivers different entries find it out through the log."""
    matter = await _asked(shelter)
    played, audit = PlayedLog(shelter.town.name), _AskedAudit()
    store = ProofStore(shelter.pool)
    quorum = QuorumTracker(store, played.trust, played.origin, Wakeup())
    for name in ("monitor", *played.agencies):
        await quorum.process(bodies([played.cosigned(played.request(0, 9), name)]))
    assert quorum.proven.size == 9
    await ReceiptCollector(store, audit, quorum, clock.now, 0.2, 60).round()
    assert matter.asked().id in audit.about
