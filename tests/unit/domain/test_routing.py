"""Need to know: the recipients of every event type, and no other member."""

import pytest

from handoff.contract.examples import examples
from handoff.domain.routing import recipients
from handoff.record.codes import AcknowledgementAction, CaseService, DeadlineStep, EndScope, RefusalCode, ReleasePurpose
from handoff.record.delivery import DUPLICATE, EFFECTIVE, ineffective, invalid
from handoff.record.envelope import COORDINATION, EXCHANGE
from handoff.record.events import CATALOGUE, Body, Keying
from handoff.record.events import case as c
from handoff.record.events import deadline as dl
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.builders import event
from tests.support.dsl.spec import (
    BASIS,
    LAWYER,
    MEMBERS,
    POLICE,
    REFERRAL,
    SHELTER,
    VTC,
    Record,
    Sent,
    given,
    nth_id,
)

# Emitter → recipients, for a referral from police to the shelter in a case in which legal aid is a party too.
SOURCE, TARGET, EVERYONE = {POLICE}, {SHELTER}, set(MEMBERS)
BOTH, NO_MEMBER = {POLICE, SHELTER}, set[str]()
RECIPIENTS: dict[str, tuple[str, set[str]]] = {
    "jurisdiction.founded.v1": (COORDINATION, EVERYONE),
    "agency.admitted.v1": (COORDINATION, EVERYONE),
    "agency.suspended.v1": (COORDINATION, EVERYONE),
    "deadlines.published.v1": (COORDINATION, EVERYONE),
    "calendars.published.v1": (COORDINATION, EVERYONE),
    "rules.activated.v1": (COORDINATION, EVERYONE),
    "key.registered.v1": (COORDINATION, EVERYONE),
    "key.revoked.v1": (COORDINATION, EVERYONE),
    "key.retired.v1": (SHELTER, EVERYONE),
    "capabilities.published.v1": (SHELTER, EVERYONE),
    "capacity.published.v1": (SHELTER, EVERYONE),
    "value.redacted.v1": (COORDINATION, EVERYONE),
    "submission.refused.v1": (EXCHANGE, {POLICE}),
    "case.opened.v1": (POLICE, SOURCE),
    "cases.linked.v1": (POLICE, SOURCE),
    "basis.recorded.v1": (POLICE, SOURCE),
    "basis.approved.v1": (POLICE, SOURCE),
    "basis.ended.v1": (EXCHANGE, SOURCE),
    "release.withdrawn.v1": (LAWYER, {LAWYER}),
    "survivor.ended.v1": (LAWYER, {LAWYER}),
    "case.read.v1": (SHELTER, TARGET),
    "erasure.completed.v1": (SHELTER, TARGET),
    "referral.requested.v1": (POLICE, BOTH),
    "referral.imported.v1": (POLICE, BOTH),
    "acceptance.claimed.v1": (POLICE, BOTH),
    "dossier.disclosed.v1": (POLICE, BOTH),
    "cancellation.requested.v1": (POLICE, BOTH),
    "referral.redirected.v1": (POLICE, SOURCE),
    "referral.delivered.v1": (SHELTER, BOTH),
    "referral.opened.v1": (SHELTER, BOTH),
    "referral.accepted.v1": (SHELTER, BOTH),
    "referral.rejected.v1": (SHELTER, BOTH),
    "place-hold.extended.v1": (SHELTER, BOTH),
    "referral.started.v1": (SHELTER, BOTH),
    "referral.paused.v1": (SHELTER, BOTH),
    "referral.resumed.v1": (SHELTER, BOTH),
    "referral.completed.v1": (SHELTER, BOTH),
    "dossier.delivered.v1": (SHELTER, BOTH),
    "cancellation.declined.v1": (SHELTER, BOTH),
    "service.continued.v1": (SHELTER, BOTH),
    "onward.refused.v1": (SHELTER, BOTH),
    "ending.reported.v1": (EXCHANGE, BOTH),
    "referral.failed.v1": (EXCHANGE, BOTH),
    "referral.cancelled.v1": (SHELTER, BOTH),
    "dossier.destroyed.v1": (POLICE, BOTH),
    "referral.voided.v1": (SHELTER, BOTH),
    "referral.revoked.v1": (EXCHANGE, BOTH),
    "disclosure.closed.v1": (EXCHANGE, BOTH),
    "deadline.missed.v1": (EXCHANGE, BOTH),
    "deadline.acknowledged.v1": (EXCHANGE, BOTH),
    "deadline.escalated.v2": (EXCHANGE, {COORDINATION}),
    "escalation.ended.v1": (EXCHANGE, {COORDINATION}),
    "escalation.acknowledged.v1": (COORDINATION, {COORDINATION}),
    "board.read.v1": (COORDINATION, {COORDINATION}),
}
_IDS = {"referral": REFERRAL, "basis": BASIS}


def _about_ours(event_type: str) -> Body:
    """The type's example, about the referral and basis of the test's case."""
    body = examples()[event_type].data
    ours = {name: id_ for name, id_ in _IDS.items() if isinstance(getattr(body, name, None), type(id_))}
    return body.model_copy(update=ours)


@pytest.fixture(scope="module")
def record() -> Record:
    lawyer = spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION, number=6)
    return given(spec.requested(), lawyer).record


def test_every_event_type_has_a_recipient_in_the_routing_table() -> None:
    assert set(RECIPIENTS) == set(CATALOGUE)


@pytest.mark.parametrize("event_type", RECIPIENTS)
def test_an_effective_event_is_routed_to_its_emitter_and_its_types_recipients(event_type: str, record: Record) -> None:
    emitter, expected = RECIPIENTS[event_type]
    sent = event(_about_ours(event_type), emitter=emitter)
    known = record.known(sent.subject)
    assert recipients(sent, EFFECTIVE, known, known) == expected


@pytest.mark.parametrize("event_type", RECIPIENTS)
def test_an_outsiders_event_is_routed_to_its_emitter_alone(event_type: str, record: Record) -> None:
    """A refused event is delivered to its emitter alone, so that an outsider neither learns nor reveals anything."""
    for outsider in (VTC, LAWYER):
        sent = event(_about_ours(event_type), emitter=outsider)
        known = record.known(sent.subject)
        assert recipients(sent, ineffective("absent"), known, known) == {outsider}


@pytest.mark.parametrize("event_type", [name for name, body in CATALOGUE.items() if body.keying is Keying.CASE])
def test_an_event_that_lost_a_race_is_routed_to_its_emitter_and_its_types_recipients(
    event_type: str, record: Record
) -> None:
    for emitter in (POLICE, SHELTER):
        sent = event(_about_ours(event_type), emitter=emitter)
        known = record.known()
        assert {emitter} <= recipients(sent, ineffective("completed"), known, known) <= BOTH


@pytest.mark.parametrize("event_type", RECIPIENTS)
def test_a_repetition_is_routed_to_no_member_and_an_invalid_event_to_its_emitter(
    event_type: str, record: Record
) -> None:
    emitter, _ = RECIPIENTS[event_type]
    sent = event(_about_ours(event_type), emitter=emitter)
    known = record.known(sent.subject)
    assert recipients(sent, DUPLICATE, known, known) == NO_MEMBER
    assert recipients(sent, invalid(RefusalCode.SIGNATURE), known, known) == {emitter} - {EXCHANGE}


def test_a_request_that_was_never_good_does_not_reach_its_target() -> None:
    refused = given(spec.opened()).when(POLICE, spec.request()).then_ineffective("basis_missing")
    assert refused.new[0].recipients == {POLICE}


def test_an_outsider_learns_of_a_referral_only_that_it_is_absent(record: Record) -> None:
    for body in (
        r.ReferralAccepted(referral=REFERRAL),
        c.ErasureCompleted(referral=REFERRAL, backups_clear_at=spec.T0),
    ):
        outside = record.append(record.envelope(Sent(VTC, body)))
        assert (outside.verdict.reason, set(outside.recipients)) == ("absent", {VTC})
    nothing = record.append(record.envelope(Sent(VTC, r.ReferralAccepted(referral=nth_id(400)))))
    assert nothing.verdict.reason == "absent"


def test_a_withdrawal_does_not_reveal_its_emitter_to_the_others() -> None:
    """Each party receives the exchange's events about its own referral; the withdrawal reaches its emitter only."""
    lawyer = spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION, number=6)
    sent = given(spec.requested(), lawyer).when(LAWYER, c.ReleaseWithdrawn(scope=EndScope.ALL))
    received = [(type(entry.event.data), set(entry.recipients), entry.event.emitter) for entry in sent.new]
    assert received == [
        (c.ReleaseWithdrawn, {LAWYER}, LAWYER),
        (c.BasisEnded, {POLICE}, EXCHANGE),
        (c.BasisEnded, {POLICE}, EXCHANGE),
        (r.ReferralRevoked, {POLICE, SHELTER}, EXCHANGE),
        (r.ReferralRevoked, {POLICE, LAWYER}, EXCHANGE),
    ]


def test_a_next_step_after_a_refusal_concerns_the_source_alone(record: Record) -> None:
    known = record.known()
    for body in (
        dl.DeadlineMissed(step=DeadlineStep.NEXT_REFERRAL, since=spec.T0, referral=REFERRAL, due_at=spec.T0),
        dl.DeadlineAcknowledged(
            step=DeadlineStep.NEXT_REFERRAL, since=spec.T0, referral=REFERRAL, action=AcknowledgementAction.REDIRECTED
        ),
    ):
        assert recipients(event(body, emitter=EXCHANGE), EFFECTIVE, known, known) == {POLICE}


def test_a_refused_submission_is_routed_to_its_sender() -> None:
    refused = d.SubmissionRefused(member=SHELTER, code=RefusalCode.OVERSIZE, value_hashes=("0" * 64,))
    sent = given().when(EXCHANGE, refused).then(d.SubmissionRefused)
    assert sent.new[0].recipients == {SHELTER}
    given().when(SHELTER, refused).then_ineffective("wrong_emitter")
