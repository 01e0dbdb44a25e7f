"""Disclosures of a case as an auditor sees them: basis, effect of a withdrawal, confirmed destruction."""

from datetime import datetime

import pytest

from handoff.record.codes import (
    ApproverRole,
    BasisKind,
    DeadlineStep,
    DestructionReason,
    EndScope,
    LegalRule,
    SurvivorInformed,
)
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.views.replay.after_withdrawal import Effect, after_withdrawal
from handoff.views.replay.basis import DisclosureExtent, basis
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.completeness import Why, completeness
from handoff.views.replay.disclosed import Unknown, disclosed
from handoff.views.replay.ineffective import ineffective
from handoff.views.replay.overrides import Override, overrides
from tests.support.dsl import spec
from tests.support.dsl.spec import (
    BASIS,
    DAY,
    HOUR,
    MINUTE,
    POLICE,
    REFERRAL,
    SECOND,
    SHELTER,
    T0,
    Record,
    Sent,
    given,
)
from tests.support.parts.replayed import replayed

PAPERS = r.Commitment(commitment="0" * 64, sealed="1" * 64)
SHEET = r.Commitment(commitment="2" * 64, sealed="3" * 64)
DISCLOSED = r.DossierDisclosed(referral=REFERRAL, dossier=PAPERS, seal_key="4" * 64)
WITHDRAWN = c.ReleaseWithdrawn(scope=EndScope.ALL)
DESTROYED = r.DossierDestroyed(referral=REFERRAL, reason=DestructionReason.UNOPENED)


def with_sheet() -> tuple[Sent, ...]:
    return (*spec.requested()[:2], Sent(POLICE, spec.request().model_copy(update={"sheet": SHEET})))


def danger(due: datetime | None) -> c.BasisRecorded:
    """A legal basis for a disclosure to any licensed shelter, approved on recording or due for approval at ``due``."""
    return spec.release(
        kind=BasisKind.IMMINENT_DANGER,
        rule=LegalRule.DOMESTIC_VIOLENCE_LAW,
        approver_role=ApproverRole.DUTY_OFFICER,
        approved_at=None if due is not None else T0,
        approval_due_at=due,
        survivor_informed=SurvivorInformed.YES,
    )


def used_at_night() -> Record:
    night = danger(T0 + 12 * HOUR)
    return given(spec.opened(), Sent(POLICE, night), Sent(POLICE, spec.request(night))).record


def crossed() -> Record:
    """A dossier that crosses a withdrawal in flight."""
    record = given(spec.accepted(), Sent(POLICE, WITHDRAWN, MINUTE)).record
    record.send(Sent(POLICE, DISCLOSED))
    return record


def test_basis_names_what_each_disclosure_rested_on_and_that_it_was_live() -> None:
    """The sheet with the request, the dossier after the acceptance, both under her oral release."""
    accepted = Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL))
    record = given(with_sheet(), accepted, Sent(POLICE, DISCLOSED)).record
    rows = basis(replayed(record), record.now).rows
    assert [(row.disclosure, row.recipient, row.basis, row.kind) for row in rows] == [
        (DisclosureExtent.SHEET, SHELTER, BASIS, BasisKind.ORAL_WITNESSED),
        (DisclosureExtent.DOSSIER, SHELTER, BASIS, BasisKind.ORAL_WITNESSED),
    ]
    assert all(row.live and row.approved and row.took_place and not row.notable for row in rows)


def test_basis_of_a_dossier_that_crossed_a_withdrawal_was_dead_and_it_was_not_passed_on() -> None:
    rows = basis(replayed(crossed()), T0 + HOUR).rows
    assert [(row.took_place, row.live, row.objection) for row in rows] == [
        (True, True, None),
        (False, False, "release_withdrawn"),
    ]


def test_an_unapproved_basis_is_notable_with_its_rule() -> None:
    (row,) = basis(replayed(used_at_night()), T0 + HOUR).rows
    assert (row.rule, row.approver_role, row.approved, row.live, row.notable) == (
        "xk.08.l185",
        ApproverRole.DUTY_OFFICER,
        False,
        True,
        True,
    )


def test_basis_that_never_stood_is_named_as_missing() -> None:
    """A request whose release is not on the record is refused, and the row has the reason."""
    record = given(spec.opened()).record
    record.send(Sent(POLICE, spec.request()))
    (row,) = basis(replayed(record), record.now).rows
    assert (row.kind, row.objection, row.took_place) == (None, "basis_missing", False)


def test_after_withdrawal_shows_what_it_led_to_what_it_stopped_and_what_went_on() -> None:
    """Disclosure is closed and the dossier is withheld; the service continues."""
    record = crossed()
    record.send(Sent(SHELTER, r.ReferralStarted(referral=REFERRAL, kind="arrival")))
    rows = after_withdrawal(replayed(record), record.now).rows
    assert [(row.type, row.effect) for row in rows] == [
        ("release.withdrawn.v1", Effect.WITHDREW),
        ("basis.ended.v1", Effect.FOLLOWED),
        ("disclosure.closed.v1", Effect.FOLLOWED),
        ("dossier.disclosed.v1", Effect.STOPPED),
        ("referral.started.v1", Effect.WENT_ON),
    ]
    assert {row.withdrawal for row in rows} == {rows[0].positions[0]}
    assert [row.seconds_after for row in rows] == [0, 0, 0, 1, 2]


def test_after_withdrawal_is_empty_before_a_withdrawal() -> None:
    record = crossed()
    assert after_withdrawal(replayed(record), T0 + 30 * SECOND).rows == ()


def test_ineffective_names_the_lost_race_and_the_recipients() -> None:
    """An acceptance after the withdrawal is ineffective; both sides are notified, and the shelter was unaware."""
    record = given(spec.requested(), Sent(POLICE, WITHDRAWN)).record
    withdrawal = len(spec.foundation()) + 3
    record.send(Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL, seen=1)))
    (row,) = ineffective(replayed(record), record.now).rows
    assert (row.reason, row.lost_to, row.unseen) == ("release_withdrawn", withdrawal, 1)
    assert (row.sender_informed, row.recipients, row.notable) == (True, (POLICE, SHELTER), False)


def test_ineffective_lost_to_the_last_step_that_moved_the_referral() -> None:
    record = given(spec.accepted()).record
    record.send(Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code="outside_mandate")))
    (row,) = ineffective(replayed(record), record.now).rows
    assert (row.reason, row.lost_to) == ("accepted", len(spec.foundation()) + 3)


def test_overrides_show_a_legal_basis_whose_approval_came_late() -> None:
    """Overdue while it is missing, late once it has arrived, and used for the request in between."""
    record = used_at_night()
    record.miss(DeadlineStep.BASIS_APPROVED)
    (overdue,) = overrides(replayed(record), record.now).rows
    record.send(Sent(POLICE, c.BasisApproved(basis=BASIS, approver_role=ApproverRole.UNIT_HEAD), HOUR))
    (late,) = overrides(replayed(record), record.now).rows
    assert (overdue.override, overdue.approved_at, overdue.approved_late) == (Override.LEGAL_BASIS, None, True)
    assert (late.approved_at, late.approved_late, late.approver_role) == (record.now, True, ApproverRole.UNIT_HEAD)
    assert late.used_for == (REFERRAL,)
    assert late.notable


def test_overrides_pass_an_approval_in_time_and_note_an_acceptance_by_phone() -> None:
    record = used_at_night()
    record.send(
        Sent(POLICE, c.BasisApproved(basis=BASIS, approver_role=ApproverRole.UNIT_HEAD), HOUR),
        Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL, via="phone")),
    )
    legal, by_phone = overrides(replayed(record), record.now).rows
    assert (legal.approved_late, legal.notable) == (False, False)
    assert (by_phone.override, by_phone.via, by_phone.agency) == (Override.ACCEPTED_OUTSIDE, "phone", SHELTER)


def test_disclosed_follows_a_document_until_its_deletion_is_attested() -> None:
    """Delivered, destroyed by both, erased with backups that are not clear yet."""
    accepted = Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL))
    record = given(with_sheet(), accepted, Sent(POLICE, DISCLOSED)).record
    sheet, dossier = disclosed(replayed(record), record.now).rows
    assert (sheet.disclosure, sheet.commitment) == (DisclosureExtent.SHEET, "2" * 64)
    assert dossier.unknown == (
        Unknown.OPENING,
        Unknown.ARRIVAL,
        Unknown.DELETION_BY_DISCLOSER,
        Unknown.DELETION_BY_RECIPIENT,
    )
    record.send(
        Sent(SHELTER, r.DossierDelivered(referral=REFERRAL)),
        Sent(POLICE, r.DossierDestroyed(referral=REFERRAL, reason=DestructionReason.EXPIRED)),
        Sent(SHELTER, c.ErasureCompleted(referral=REFERRAL, backups_clear_at=T0 + 30 * DAY)),
    )
    dossier = disclosed(replayed(record), record.now).rows[-1]
    assert dossier.delivered_at is not None
    assert [(gone.by, gone.reason) for gone in dossier.deletions] == [(POLICE, "expired"), (SHELTER, None)]
    assert dossier.unknown == (Unknown.OPENING, Unknown.BACKUPS)
    assert disclosed(replayed(record), T0 + 31 * DAY).rows[-1].unknown == (Unknown.OPENING,)


def test_disclosed_notes_a_stopped_dossier_until_the_recipient_attests_that_it_is_gone() -> None:
    record = crossed()
    (row,) = disclosed(replayed(record), record.now).rows
    assert (row.passed_on, row.notable) == (False, True)
    record.send(Sent(SHELTER, DESTROYED))
    assert not disclosed(replayed(record), record.now).rows[0].notable


END = len(spec.foundation()) + 3


@pytest.mark.parametrize(
    ("sealing", "why"),
    [
        (None, [Why.NO_CHECKPOINT] * 3),
        (CheckpointStatus("example", END - 1, T0, ("monitor",), is_witnessed=True), [Why.NOT_COVERED]),
        (CheckpointStatus("example", END, None, ("monitor",)), [Why.NOT_WITNESSED] * 3),
        (CheckpointStatus("example", END, T0, ("monitor", POLICE), is_witnessed=True), []),
    ],
)
def test_completeness_is_proven_only_under_a_witnessed_checkpoint_that_covers_the_case(
    sealing: CheckpointStatus | None, why: list[Why]
) -> None:
    """The case's three entries follow the foundation."""
    record = given(spec.requested()).record
    answer = completeness(replayed(record, sealing), record.now)
    assert [row.why for row in answer.rows] == why
    assert answer.proven is (why == [])
    assert (answer.entries, answer.end) == (3, END - 1)
