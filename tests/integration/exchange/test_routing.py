"""Routing on the real broker: recipients, sequence and consequences."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, cast
from uuid import UUID

import pytest

from handoff.config import PlannedMember
from handoff.domain.escalations import escalation_reference
from handoff.record import codec
from handoff.record.codec import AnyEvent
from handoff.record.codes import (
    AcknowledgementAction,
    CaseService,
    DeadlineSource,
    DeadlineStep,
    RecipientClass,
    RefusalCode,
    Urgency,
)
from handoff.record.delivery import EFFECTIVE, Delivery, invalid
from handoff.record.envelope import COORDINATION
from handoff.record.events.case import BasisEnded
from handoff.record.events.deadline import (
    DeadlineAcknowledged,
    DeadlineEscalated,
    DeadlineMissed,
    EscalationAcknowledged,
)
from handoff.record.events.directory import Deadline
from handoff.record.events.referral import ReferralRevoked
from tests.support.dsl import builders
from tests.support.dsl.referral_events import Matter
from tests.support.parts.small_jurisdiction import Town, contains, events_of, town
from tests.support.parts.stack import Jurisdictions

SOON = Deadline(step=DeadlineStep.ANSWERED, amount=1, urgencies=(Urgency.LOW,), source=DeadlineSource.ASSUMED)


@pytest.fixture(scope="module")
async def place(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with town(jurisdictions, tmp_path_factory.mktemp("routing"), deadlines=(SOON,)) as founded:
        founded.exchange().start()
        await founded.found()
        yield founded


def verdict_on(event: AnyEvent, inbox: Iterable[Delivery]) -> Any:
    return next(d.verdict for d in inbox if d.message.value == codec.encode(event))


def missed(inbox: Iterable[Delivery], matter: Matter) -> list[AnyEvent]:
    return [e for e in events_of(inbox) if isinstance(e.data, DeadlineMissed) and e.subject == str(matter.case)]


async def test_the_directory_is_delivered_to_every_member_from_the_founding(place: Town) -> None:
    """A member's inbox begins with the whole directory, whenever it was admitted."""
    members = ("police", "legal_aid", COORDINATION)
    inboxes = [events_of(await place.inbox(member, lambda inbox: len(inbox) >= 9))[:9] for member in members]
    assert inboxes[0] == inboxes[1] == inboxes[2]
    assert inboxes[0][0] == place.genesis


async def test_a_referral_reaches_only_its_two_sides(place: Town) -> None:
    """Each inbox holds exactly what the record and the types of its events name, in a sequence without gaps."""
    matter = Matter(place, 1)
    await place.publish(*matter.begun())
    await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked()))
    await place.publish(matter.delivered(), matter.accepted())
    police = await place.inbox("police", lambda inbox: contains(inbox, matter.accepted()))
    assert {verdict_on(event, police) for event in (*matter.begun(), matter.accepted())} == {EFFECTIVE}
    await place.check_inboxes()
    assert str(matter.case) not in {event.subject for event in events_of(await place.inbox("legal_aid", bool))}


async def test_a_withdrawal_ends_the_release_and_revokes_the_request_once(place: Town) -> None:
    """The exchange emits the consequences of a withdrawal once; a later acceptance is ineffective for both sides."""
    matter = Matter(place, 2)
    await place.publish(*matter.begun())
    await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked()))
    await place.publish(matter.withdrawn())
    await place.inbox("police", lambda inbox: contains(inbox, matter.withdrawn()))
    await place.publish(matter.accepted())
    record = await place.check_inboxes()
    on_record = [codec.decode(entry.message.value or b"").data for entry in record]
    assert len([b for b in on_record if isinstance(b, BasisEnded) and b.basis == matter.basis]) == 1
    assert len([b for b in on_record if isinstance(b, ReferralRevoked) and b.referral == matter.referral]) == 1
    for member in ("police", "shelter"):
        inbox = await place.inbox(member, lambda inbox: contains(inbox, matter.accepted()))
        assert verdict_on(matter.accepted(), inbox).reason in {"release_withdrawn", "revoked"}


async def test_a_repeat_on_the_record_is_routed_to_no_member(place: Town) -> None:
    """Of an event that is on the record twice, the first entry counts and the others reach no inbox."""
    matter = Matter(place, 3)
    await place.publish(*matter.begun())
    await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked()))
    repeated = builders.signed(matter.asked())
    await place.append(repeated, repeated)
    record = await place.check_inboxes()
    assert [entry.message.value for entry in record].count(repeated.value) == 3
    inbox = await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked()))
    assert [d.message.value for d in inbox].count(repeated.value) == 1


async def test_another_event_under_a_used_id_is_an_equivocation(place: Town) -> None:
    """The same id with other bytes is invalid, and only its emitter is notified."""
    matter = Matter(place, 4)
    await place.publish(*matter.begun())
    other = matter.asked(Urgency.HIGH).model_copy(update={"id": matter.asked().id})
    await place.publish(other)
    inbox = await place.inbox("police", lambda inbox: contains(inbox, other))
    assert verdict_on(other, inbox) == invalid(RefusalCode.EQUIVOCATION)
    await place.check_inboxes()


async def test_a_missed_deadline_is_recorded_once_and_escalated_without_the_case(place: Town) -> None:
    """When a step is overdue, both sides and the coordinator are notified once each."""
    matter = Matter(place, 5)
    await place.publish(*matter.begun(Urgency.LOW))
    await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked(Urgency.LOW)))
    await place.publish(matter.delivered())
    await place.inbox("police", lambda inbox: bool(missed(inbox, matter)))
    await place.check_inboxes()
    [late] = missed(await place.inbox("shelter", lambda inbox: bool(missed(inbox, matter))), matter)
    inbox = events_of(await place.inbox(COORDINATION, bool))
    [escalated] = [e for e in inbox if getattr(e.data, "reference", None) == escalation_reference(late.id)]
    assert isinstance(escalated.data, DeadlineEscalated)
    assert escalated.data.member == "shelter"
    assert str(matter.case) not in escalated.model_dump_json()


async def test_the_coordinators_answer_finds_its_late_step_by_reference(place: Town) -> None:
    """The answer comes back into its case, and the rows of the escalation are deleted."""
    matter = Matter(place, 8)
    await place.publish(*matter.begun(Urgency.LOW))
    await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked(Urgency.LOW)))
    await place.publish(matter.delivered())
    inbox = await place.inbox("police", lambda inbox: bool(missed(inbox, matter)))
    reference = escalation_reference(missed(inbox, matter)[0].id)
    await place.inbox(COORDINATION, lambda inbox: any(_is_about(event, reference) for event in events_of(inbox)))
    assert len(await place.query("exchange_escalations", reference)) == 2
    answer = EscalationAcknowledged(reference=reference, action=AcknowledgementAction.CALLED_AGENCY)
    await place.publish(place.event(answer, emitter=COORDINATION))
    inbox = await place.inbox(
        "police", lambda inbox: any(isinstance(event.data, DeadlineAcknowledged) for event in events_of(inbox))
    )
    [acknowledged] = [event for event in events_of(inbox) if isinstance(event.data, DeadlineAcknowledged)]
    assert (acknowledged.case_id, cast("DeadlineAcknowledged", acknowledged.data).referral) == (
        matter.case,
        matter.referral,
    )
    assert await place.query("exchange_escalations", reference) == []
    await place.check_inboxes()


def _is_about(event: AnyEvent, reference: UUID) -> bool:
    return getattr(event.data, "reference", None) == reference


async def test_a_deadline_reported_too_early_is_reported_again(place: Town) -> None:
    """A missed deadline that is appended before its time is ineffective, and is emitted again by the next attempt."""
    matter = Matter(place, 6)
    await place.publish(*matter.begun(Urgency.LOW))
    await place.inbox("shelter", lambda inbox: contains(inbox, matter.asked(Urgency.LOW)))
    await place.publish(matter.delivered())
    await place.inbox("police", lambda inbox: contains(inbox, matter.delivered()))
    await place.query("make_timers_ready", matter.referral)
    inbox = await place.inbox("shelter", lambda inbox: bool(missed(inbox, matter)))
    [late] = missed(inbox, matter)
    assert (cast("DeadlineMissed", late.data).attempt, verdict_on(late, inbox)) == (1, EFFECTIVE)
    appended = [codec.decode(entry.message.value or b"") for entry in await place.check_inboxes()]
    about_this = [e.data for e in appended if isinstance(e.data, DeadlineMissed) and e.data.referral == matter.referral]
    assert [body.attempt for body in about_this] == [0, 1]


async def test_an_agency_that_is_admitted_later_is_served_without_a_restart(place: Town) -> None:
    """A new member first receives the whole directory, and is served without a restart of the exchange."""
    newcomer = PlannedMember(
        id="shelter_gjakova", offers=(CaseService.SHELTER,), classes=(RecipientClass.LICENSED_SHELTER,)
    )
    place.plan_members(newcomer)
    await place.jurisdiction.apply_broker()
    await place.admit(newcomer)
    matter = Matter(place, 7)
    await place.publish(*matter.begun(target=newcomer.id))
    inbox = await place.inbox(newcomer.id, lambda inbox: contains(inbox, matter.asked(target=newcomer.id)))
    assert events_of(inbox)[0] == place.genesis
    answer = matter.delivered().model_copy(update={"source": f"/{place.name}/1/{newcomer.id}"})
    await place.publish(answer)
    await place.inbox("police", lambda inbox: contains(inbox, answer))
    await place.check_inboxes()
