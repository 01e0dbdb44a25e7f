"""A referral is identified by its case and its id: the same id in another case is another referral."""

from collections.abc import Sequence
from uuid import UUID

from handoff.domain.consequences import deadline_missed
from handoff.domain.policies import CONFIRM_DELIVERY, reactions
from handoff.node.inbox.fold import InboxFold
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.record.codec import AnyEvent, encode
from handoff.record.codes import BasisKind, CaseService, DeadlineStep, ReleasePurpose, State, Urgency
from handoff.record.delivery import EFFECTIVE, Delivery
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import sign
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, OTHER_CASE, REFERRAL, T0, event, key_of, nth_id, signed
from tests.support.dsl.judged import GENESIS_HASH, checked, projected, story_of
from tests.support.dsl.spec import POLICE, SHELTER, Sent
from tests.support.parts.node_parts import Parts


def _two_cases() -> spec.Record:
    """The police ask the shelter in one case; the shelter asks the police, under the same id, in its own."""
    record = spec.given(spec.requested()).record
    release = spec.release(
        ReleasePurpose.PROTECTION_ORDER_SUPPORT, basis=nth_id(1), to=POLICE, kind=BasisKind.ORAL_WITNESSED
    )
    asked = spec.request(release, target=POLICE, service=CaseService.POLICE_PROTECTION, urgency=Urgency.LOW)
    for requested_events in (spec.opened(SHELTER), Sent(SHELTER, release), Sent(SHELTER, asked)):
        assert record.send(requested_events, about=OTHER_CASE).verdict.is_effective
    return record


def test_the_timeline_has_a_handoff_for_each_case() -> None:
    """Both referrals have a row, and the first case's row still names its own target."""
    page = projected(story_of(_two_cases()))
    rows = {(row.case, row.referral): row.target for row in page.handoffs}
    assert rows == {(CASE, REFERRAL): SHELTER, (OTHER_CASE, REFERRAL): POLICE}


def _newer(about: UUID) -> bytes:
    """An event of a type that this release cannot read, about the referral in that case."""
    known = event(r.ReferralOpened(referral=REFERRAL), emitter=SHELTER, subject=about)
    return encode(known).replace(b"referral.opened.v1", b"referral.opened.v9")


def _taken(messages: Sequence[tuple[UUID, bytes, str]]) -> InboxFold:
    fold = InboxFold(POLICE, GENESIS_HASH, spec.DIRECTORY, {}, {})
    for number, (subject, value, emitter) in enumerate(messages, 1):
        message = sign(str(subject), value, key_of(emitter))
        fold.apply(InboxEntry.from_delivery(number, Delivery(number, T0, EFFECTIVE, message)))
    return fold


def test_a_parked_referral_stops_only_the_one_in_its_own_case() -> None:
    """A type that this node cannot read, in a case of the sender's own, leaves the work of other cases alone."""
    story = [(CASE, encode(entry.event), entry.event.emitter) for entry in spec.given(spec.requested()).record.entries]
    fold = _taken([(OTHER_CASE, _newer(OTHER_CASE), SHELTER), *story])
    assert REFERRAL in fold.cases[CASE].referrals


def _in_town(parts: Parts, entry: spec.Entry) -> AnyEvent:
    requested_events = entry.event
    return event(
        requested_events.data,
        emitter=requested_events.emitter,
        subject=requested_events.subject,
        jurisdiction=parts.town.name,
    )


_BOTH = {(CASE, SHELTER, State.REQUESTED), (OTHER_CASE, POLICE, State.REQUESTED)}


def _arrivals(police: Parts) -> list[KafkaRecord]:
    delivered = [entry for entry in _two_cases().entries if POLICE in entry.recipients]
    return [police.post(signed(_in_town(police, entry)), at=entry.at) for entry in delivered]


async def _work_list(police: Parts) -> set[tuple[UUID, str, State]]:
    return {(row.case, row.target, row.state) for row in await police.desk().referrals()}


async def test_the_work_list_has_a_row_for_each_case(police: Parts) -> None:
    """The police's list shows the request that they made and the one that they received."""
    intake = await police.intake()
    for arrival in _arrivals(police):
        await intake.handle([arrival])
    assert await _work_list(police) == _BOTH


async def test_both_cases_may_come_in_one_batch(police: Parts) -> None:
    """A node that was away and receives both cases at the same time folds both."""
    await (await police.intake()).handle(_arrivals(police))
    assert await _work_list(police) == _BOTH


async def test_a_page_of_the_work_list_continues_after_a_referral_of_one_case(police: Parts) -> None:
    """The cursor names case and referral, so no referral with the same id is left out or repeated."""
    await (await police.intake()).handle(_arrivals(police))
    first = await police.desk().referrals(limit=1)
    second = await police.desk().referrals(after=first[-1].key, limit=1)
    assert {(row.case, row.target, row.state) for row in (*first, *second)} == _BOTH
    assert await police.desk().referrals(after=second[-1].key, limit=1) == ()


def _asked_in(case: UUID) -> spec.Record:
    record = spec.Record()
    record.send(*spec.requested(), about=case)
    return record


def test_consequences_and_reactions_have_an_id_for_each_case() -> None:
    """Outboxes have ids as keys: neither a miss nor a reaction in one case excludes that of another."""
    late, reacted = set[UUID](), set[UUID]()
    for case in (CASE, OTHER_CASE):
        record = _asked_in(case)
        late.add(deadline_missed(record.known(str(case)), *record.step(DeadlineStep.DELIVERED, case), 0).id)
        events, _ = reactions([CONFIRM_DELIVERY], record.known(str(case)), spec.source(SHELTER))
        reacted |= {one.id for one in events}
    assert len(late) == len(reacted) == 2


def test_the_checker_keeps_the_referrals_of_two_cases_apart() -> None:
    """Both are on the record, each with its own target."""
    history = checked(story_of(_two_cases()))
    targets = {(key.case, key.referral): referral.target for key, referral in history.state.referrals.items()}
    assert targets == {(str(CASE), str(REFERRAL)): SHELTER, (str(OTHER_CASE), str(REFERRAL)): POLICE}
