"""Rotation of the exchange's key, on a real broker, while it routes."""

from collections.abc import AsyncIterator, Sequence

import pytest

from handoff.domain.case import Situation
from handoff.domain.directory import Directory
from handoff.domain.evolve import evolve
from handoff.domain.founding import key_registration
from handoff.node.inbox.inbox_chain import InboxChain
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.proof.log.delivery_chain import DeliveryProof
from handoff.record import codec, signing
from handoff.record.delivery import Delivery
from handoff.record.envelope import COORDINATION, EXCHANGE
from handoff.record.events.case import BasisEnded
from handoff.record.events.directory import KeyRegistered, KeyRevoked
from tests.support.dsl.builders import key_of
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import Town, contains, events_of, town
from tests.support.parts.stack import Jurisdictions

NEXT = "the exchange's next key"


@pytest.fixture
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("rotation")) as founded:
        founded.exchange(next_key_of=NEXT).start()
        await founded.found()
        yield founded


async def test_the_exchange_signs_with_its_next_key_once_the_coordinator_has_registered_it(place: Town) -> None:
    """Every reader knows the key of each entry before it folds the entry, also after the first key is revoked."""
    before, after = Matter(place, 1), Matter(place, 2)
    await _exchange(place, before)
    registered = place.event(key_registration(place.name, EXCHANGE, key_of(NEXT)), emitter=COORDINATION)
    await place.publish(registered)
    await place.inbox("police", lambda inbox: contains(inbox, registered))
    revoked = place.event(KeyRevoked(key=key_of(EXCHANGE).id), emitter=COORDINATION)
    await place.publish(revoked)
    await place.inbox("police", lambda inbox: contains(inbox, revoked))
    await _exchange(place, after)
    await place.publish(after.withdrawn())
    inbox = await place.inbox("police", lambda inbox: any(_ends(event, after) for event in events_of(inbox)))
    _check_signatures(place, "police", inbox)
    signers = [DeliveryProof.unpack(delivery.proof).key_id for delivery in inbox]
    assert signers == sorted(signers, key=[key_of(EXCHANGE).id, key_of(NEXT).id].index)
    assert {key_of(EXCHANGE).id, key_of(NEXT).id} == set(signers)
    await place.check_inboxes()


async def _exchange(place: Town, matter: Matter) -> None:
    await place.publish(*matter.begun())
    await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked()))
    await place.publish(matter.delivered())
    await place.inbox("police", lambda inbox: contains(inbox, matter.delivered()))


def _ends(event: codec.AnyEvent, matter: Matter) -> bool:
    return isinstance(event.data, BasisEnded) and event.subject == str(matter.case)


def _check_signatures(place: Town, member: str, inbox: Sequence[Delivery]) -> None:
    """Check each entry with the directory that the entries before it give. Raises ``BrokenDelivery``."""
    chain = InboxChain(member, signing.sha256(codec.encode(place.genesis)))
    directory = Directory(place.name, 1)
    for number, delivery in enumerate(inbox):
        chain.append(InboxEntry.from_delivery(number, delivery), directory)
        event = codec.decode(delivery.message.value or b"")
        if event.case_id is None and delivery.verdict.is_effective:
            directory = evolve(Situation(directory, None), event, delivery.record_time).directory
    assert any(isinstance(event.data, KeyRegistered) and event.data.member == EXCHANGE for event in events_of(inbox))
