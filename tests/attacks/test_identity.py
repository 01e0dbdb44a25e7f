"""An event is identified by subject, source and id: a member cannot take an id that another member will use.

The ids of the exchange's and of the policies' events follow from what is known, so that a repeat is the same bytes.
Each test publishes a harmless event of another member under such an id first.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from handoff.domain.consequences import deadline_missed
from handoff.domain.founding import admission_events
from handoff.domain.policies import reactions
from handoff.exchange import observability as exchange
from handoff.projection import observability as projection
from handoff.proof.verify.verifier import verify
from handoff.record import codec
from handoff.record.codec import AnyEvent
from handoff.record.codes import CaseService, DeadlineStep, EndScope, ReadPurpose, RejectionCode
from handoff.record.delivery import EQUIVOCATION
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.message import Message
from handoff.record.signing import SigningKey
from services.police_intake.policies import POLICIES
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, REFERRAL, event, key_of, nth_id, signed
from tests.support.dsl.judged import READERS, Appended, founded, projected, routed, story_of
from tests.support.dsl.spec import LAWYER, POLICE, SHELTER, T0, Sent
from tests.support.parts import proof_record
from tests.support.parts.node_parts import Parts, request_a_place

Scene = tuple[list[Appended], AnyEvent, AnyEvent, datetime]
"""The record so far, the event under the stolen id, the true event, and when that is appended."""


def _read_under(stolen: UUID, emitter: str) -> AnyEvent:
    return event(c.CaseRead(reader=nth_id(50), purpose=ReadPurpose.TECHNICAL), emitter=emitter, id=stolen)


def _a_missed_deadline() -> Scene:
    """The target's machine receipt is late; the target takes the id of the exchange's deadline-missed event."""
    record = spec.given(spec.requested()).record
    holder, step = record.step(DeadlineStep.DELIVERED)
    missed = deadline_missed(record.known(), holder, step, 0)
    return story_of(record), _read_under(missed.id, SHELTER), missed, step.due_at + 2 * spec.SECOND


def _the_next_request() -> Scene:
    """A shelter that refuses takes the id of the request by which the police ask the next shelter."""
    refused = Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code=RejectionCode.UNITS_FULL))
    record = spec.given(spec.requested(), refused).record
    asked, *_ = reactions(POLICIES, spec.side(POLICE, record).known, spec.source(POLICE))[0]
    return story_of(record), _read_under(asked.id, SHELTER), asked, record.now + spec.MINUTE


def _an_admission() -> Scene:
    """A member takes the id of the admission of an institution that is about to join."""
    newcomer = d.Admission(member="safe_house", services=(CaseService.SHELTER,))
    admitted, *_ = admission_events(spec.CHARTER, [(newcomer, key_of("safe_house"))], T0)
    stolen = event(d.KeyRetired(key=key_of(LAWYER).id), emitter=LAWYER, id=admitted.id)
    return founded(), stolen, admitted, T0 + spec.MINUTE


@pytest.mark.parametrize("reader", sorted(READERS))
@pytest.mark.parametrize("scene", [_a_missed_deadline, _the_next_request, _an_admission])
def test_a_stolen_id_suppresses_nothing(scene: Callable[[], Scene], reader: str) -> None:
    """The true event has its effect, although another member has used its id for the same subject before."""
    before, stolen, true, at = scene()
    *_, last = READERS[reader]([*before, (signed(stolen), at - spec.SECOND), (signed(true), at)])
    assert last == "effective"


def _two_reads(emitter: str, key: SigningKey | None = None) -> list[Appended]:
    """Two different events under one identity; the second is signed with ``key``."""
    first = event(c.CaseRead(reader=nth_id(9), purpose=ReadPurpose.AUDIT), emitter=emitter)
    other = event(c.CaseRead(reader=nth_id(9), purpose=ReadPurpose.TECHNICAL), emitter=emitter, id=first.id)
    return founded((signed(first), T0), (signed(other, key), T0))


def _alarms(appended: list[Appended]) -> Iterator[Mapping[str, object]]:
    """The alarms of the exchange and of the projection."""
    with capture_logs() as lines:
        exchange.record_batch(routed(appended), len(appended))
        projection.record_batch(projected(appended))
    return (line for line in lines if line["event"].endswith("alarm_raised"))


def test_an_equivocation_is_alarmed_under_the_name_of_its_emitter() -> None:
    """Exchange and projection name the member that signed both events, in the log and in the metric."""
    labels = {"reason": "equivocation", "member": SHELTER}
    before = REGISTRY.get_sample_value("handoff_record_alarms_total", labels) or 0
    alarms = list(_alarms(_two_reads(SHELTER)))
    assert [(line["reason"], line["caused_by"]) for line in alarms] == [("equivocation", SHELTER)] * 2
    assert REGISTRY.get_sample_value("handoff_record_alarms_total", labels) == before + 2


def test_an_alarm_blames_no_member_for_what_it_did_not_sign() -> None:
    """The source of an entry with another member's signature is a claim, and the alarm names no cause."""
    alarms = list(_alarms(_two_reads(SHELTER, key_of(POLICE))))
    assert [(line["emitter"], line["caused_by"]) for line in alarms] == [(SHELTER, None)] * 2


async def test_an_own_equivocation_is_alarmed_and_not_sent_again(police: Parts) -> None:
    """The record already holds another event of this member under the id; its own later one is not repeated."""
    case, _, sent = await request_a_place(police.desk())
    intake = await police.intake()
    with capture_logs() as logs:
        await intake.handle(await police.echoes(EQUIVOCATION))
    alarms = [line for line in logs if line["event"] == "inbox.own_equivocation_found"]
    assert {line["event_id"] for line in alarms} >= {str(one) for one in sent}
    assert {line["log_level"] for line in alarms} == {"critical"}
    async with police.store.transaction() as transaction:
        known = await transaction.known([str(case)])
    assert known.pending == ()
    assert await police.query("outbox_rows_without_echo") == []


@pytest.mark.parametrize("reader", sorted(READERS))
def test_the_exchange_uses_an_id_once_even_if_two_members_share_one(reader: str) -> None:
    """Two members end her services under one id: what the exchange adds to each has an identity of its own."""
    record = spec.given(spec.requested()).record
    ended = [
        event(c.SurvivorEnded(scope=EndScope.ALL), emitter=member, id=nth_id(70), subject=CASE)
        for member in (POLICE, SHELTER)
    ]
    follows = [follow for one in ended for follow in record.append(one).follows]
    assert len(follows) == len({follow.identity for follow in follows}) == len({follow.id for follow in follows}) == 2
    story = story_of(record) + [(signed(follow), record.now) for follow in follows]
    assert "invalid" not in READERS[reader](story)


def test_the_verifier_reports_no_contradiction_between_two_members() -> None:
    """A bundle with one id of two sources carries no remark about the second."""
    true = proof_record.reading(1, "csw")
    stolen = signed(event(c.CaseRead(reader=nth_id(9), purpose=ReadPurpose.AUDIT), emitter="shelter", id=_id_of(true)))
    dump = proof_record.dump_of([*proof_record.founding(), proof_record.opened(CASE), stolen, true])
    report = verify(io.BytesIO(dump.bundle()), proof_record.trust())
    assert report.failures == ()
    assert report.remarks == ()


def _id_of(message: Message) -> UUID:
    return codec.decode(message.value or b"").id
