"""An event is identified by subject, source and id: a member cannot take an id that another member will use.

The ids of the exchange's and of the policies' events follow from what is known, so that a repeat is the same bytes.
Each test publishes a harmless event of another member under such an id first.
"""

import io
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from handoff.domain.consequences import deadline_missed
from handoff.domain.founding import admission_events
from handoff.domain.policies import reactions
from handoff.proof.verify.verifier import verify
from handoff.record import codec
from handoff.record.codec import AnyEvent
from handoff.record.codes import CaseService, DeadlineStep, ReadPurpose, RejectionCode
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.message import Message
from services.police_intake.policies import POLICIES
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, REFERRAL, event, key_of, nth_id, signed
from tests.support.dsl.judged import READERS, Appended, founded, story_of
from tests.support.dsl.spec import LAWYER, POLICE, SHELTER, T0, Sent
from tests.support.parts import proof_record

_SQUATTED = "issue 11: a member that takes the predictable id of another member's next event suppresses that event"

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
    stolen = event(d.CapabilitiesPublished(reads=()), emitter=LAWYER, id=admitted.id)
    return founded(), stolen, admitted, T0 + spec.MINUTE


@pytest.mark.parametrize("reader", sorted(READERS))
@pytest.mark.parametrize("scene", [_a_missed_deadline, _the_next_request, _an_admission])
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_SQUATTED)
def test_a_stolen_id_suppresses_nothing(scene: Callable[[], Scene], reader: str) -> None:
    """The true event has its effect, although another member has used its id for the same subject before."""
    before, stolen, true, at = scene()
    *_, last = READERS[reader]([*before, (signed(stolen), at - spec.SECOND), (signed(true), at)])
    assert last == "effective"


@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_SQUATTED)
def test_the_verifier_does_not_say_that_two_members_contradict_each_other() -> None:
    """A bundle with one id of two sources carries no remark about the second."""
    true = proof_record.reading(1, "csw")
    stolen = signed(event(c.CaseRead(reader=nth_id(9), purpose=ReadPurpose.AUDIT), emitter="shelter", id=_id_of(true)))
    dump = proof_record.dump_of([*proof_record.founding(), proof_record.opened(CASE), stolen, true])
    report = verify(io.BytesIO(dump.bundle()), proof_record.trust())
    assert report.failures == ()
    assert report.remarks == ()


def _id_of(message: Message) -> UUID:
    return codec.decode(message.value or b"").id
