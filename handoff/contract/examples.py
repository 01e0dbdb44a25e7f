"""One valid event of each type, published beside the schemas.

Ids, times and keys are fixed. A published example never changes and stays readable; a new version gets its own.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from handoff.record import codes, formats, signing
from handoff.record.codec import AnyEvent
from handoff.record.envelope import COORDINATION, EXCHANGE, Source, compose
from handoff.record.events import CATALOGUE, Body, board, case, deadline, directory, referral

JURISDICTION = "prizren"
CASE = UUID("3f0c5a1e-6a0b-4c57-9a39-0c8e2f6d7b10")
OTHER_CASE = UUID("b1d7e6f2-21f4-4f5c-8f57-5d0f7a6c9e42")
REFERRAL = UUID("8e2a9c44-5b7d-4a3b-9f60-1f2e3d4c5b6a")
NEXT_REFERRAL = UUID("c7f1b3d5-90ab-4cde-8f01-23456789abcd")
BASIS = UUID("5d6e7f80-1a2b-4c3d-8e4f-5a6b7c8d9e0f")
READER = UUID("0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
REFERENCE = UUID("f0e1d2c3-b4a5-4968-8778-695a4b3c2d1e")
BEGAN = datetime(2026, 1, 5, 22, 40, tzinfo=UTC)

_KEY = signing.SigningKey(bytes(range(32)))
_EXCHANGE_KEY = signing.SigningKey(bytes(range(32, 64)))
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def examples() -> Mapping[str, AnyEvent]:
    """Return event type → example, in the order of the catalogue."""
    events = {body.type: _event(emitter, body) for emitter, body in _bodies()}
    return {event_type: events[event_type] for event_type in CATALOGUE}


def _event(emitter: str, body: Body) -> AnyEvent:
    return compose(
        id=uuid5(CASE, body.type),
        source=Source(JURISDICTION, 1, emitter),
        subject=body.keying.subject(JURISDICTION, CASE),
        time=BEGAN,
        body=body,
    )


def _bodies() -> Iterator[tuple[str, Body]]:
    yield from ((COORDINATION, body) for body in _by_coordination())
    yield from ((EXCHANGE, body) for body in _by_exchange())
    yield from (("police", body) for body in _by_source())
    yield from (("shelter", body) for body in _by_target())


def _after(**elapsed: int) -> datetime:
    return BEGAN + timedelta(**elapsed)


def _by_coordination() -> Iterator[Body]:
    deadlines = (
        directory.Deadline(
            step=codes.DeadlineStep.ANSWERED,
            amount=3600,
            urgencies=(codes.Urgency.EMERGENCY,),
            source=codes.DeadlineSource.PRACTICE,
        ),
    )
    yield directory.JurisdictionFounded(
        coordinator=COORDINATION,
        coordinator_key=_KEY.public_key.hex(),
        exchange_key=_EXCHANGE_KEY.public_key.hex(),
        rules=1,
        deadlines=deadlines,
    )
    yield directory.AgencyAdmitted(
        member="shelter",
        services=(codes.CaseService.SHELTER, codes.CaseService.PSYCHOSOCIAL),
        classes=(codes.RecipientClass.LICENSED_SHELTER,),
    )
    yield directory.AgencySuspended(member="shelter")
    yield directory.DeadlinesPublished(deadlines=deadlines)
    yield directory.CalendarsPublished(
        zone="Europe/Belgrade",
        offset_minutes=60,
        offset_changes=(directory.OffsetChange(at=datetime(2026, 3, 29, 1, tzinfo=UTC), offset_minutes=120),),
        holidays=(
            directory.Holiday(year=2026, month=1, day=1),
            directory.Holiday(year=2026, month=3, day=20, estimated=True),
        ),
        hours=(
            directory.WorkingHours(
                shifts=(
                    directory.Shift(weekday=0, from_minute=480, to_minute=720),
                    directory.Shift(weekday=0, from_minute=780, to_minute=1020),
                )
            ),
        ),
        source=codes.DeadlineSource.ASSUMED,
    )
    yield directory.RulesActivated(version=2)
    yield directory.KeyRegistered(
        member="shelter",
        public_key=_KEY.public_key.hex(),
        possession=_KEY.sign(
            signing.possession_statement(JURISDICTION, "shelter", _KEY.public_key), formats.KEY_POSSESSION
        ).hex(),
    )
    yield directory.KeyRevoked(key=_KEY.id)
    yield directory.ValueRedacted(offset=42, value_hash=_HASH, reason=codes.RedactionReason.PERSONAL_DATA)
    yield board.BoardRead(reader=READER, access=codes.BoardAccess.NOW)
    yield deadline.EscalationAcknowledged(reference=REFERENCE, action=codes.AcknowledgementAction.CALLED_AGENCY)


def _by_exchange() -> Iterator[Body]:
    withdrawn = codes.BasisEndReason.RELEASE_WITHDRAWN
    answered = codes.DeadlineStep.ANSWERED
    yield directory.SubmissionRefused(member="police", code=codes.RefusalCode.SIGNATURE, value_hashes=(_HASH,))
    yield case.BasisEnded(basis=BASIS, reason=withdrawn)
    yield referral.ReferralRevoked(referral=REFERRAL, seen=2, reason=withdrawn)
    yield referral.DisclosureClosed(referral=REFERRAL, seen=4, reason=withdrawn)
    yield referral.EndingReported(referral=REFERRAL, seen=4)
    yield deadline.DeadlineMissed(step=answered, since=BEGAN, referral=REFERRAL, due_at=_after(hours=1))
    yield deadline.DeadlineAcknowledged(
        step=answered, since=BEGAN, referral=REFERRAL, action=codes.AcknowledgementAction.CALLED_AGENCY
    )
    yield deadline.DeadlineEscalated(
        reference=REFERENCE,
        member="shelter",
        service=codes.CaseService.SHELTER,
        step=answered,
        age_seconds=3602,
        urgency=codes.Urgency.HIGH,
        since=BEGAN,
        due_at=_after(hours=1),
        acknowledge_by=_after(hours=5),
        notify_at=_after(hours=1, seconds=2),
    )
    yield deadline.EscalationEnded(reference=REFERENCE, reason=codes.EscalationEnd.STEP_DONE)


def _by_source() -> Iterator[Body]:
    yield case.CaseOpened(
        entry_point=codes.EntryPoint.POLICE_CALL,
        reporting_delay=codes.ReportingDelay.OVER_1Y,
        offered=(case.Offer(service=codes.CaseService.LEGAL_AID, answer=codes.OfferAnswer.ACCEPTED),),
    )
    yield case.CasesLinked(other_case=OTHER_CASE)
    yield case.BasisRecorded(
        basis=BASIS,
        kind=codes.BasisKind.ORAL_WITNESSED,
        purpose=codes.ReleasePurpose.ARRANGE_SHELTER,
        recipient_class=codes.RecipientClass.LICENSED_SHELTER,
        expires_at=_after(days=30),
    )
    yield case.BasisApproved(basis=BASIS, approver_role=codes.ApproverRole.UNIT_HEAD)
    yield case.ReleaseWithdrawn(scope=codes.EndScope.PURPOSE, purpose=codes.ReleasePurpose.JOB_PLACEMENT)
    yield case.SurvivorEnded(scope=codes.EndScope.RECIPIENT, recipient="shelter")
    yield case.CaseRead(reader=READER, purpose=codes.ReadPurpose.ACT_ON_REFERRAL)
    yield case.ErasureCompleted(referral=REFERRAL, backups_clear_at=_after(days=35))
    yield from _requests()
    yield referral.AcceptanceClaimed(referral=REFERRAL, seen=1, via=codes.AnsweredVia.PHONE)
    yield referral.DossierDisclosed(
        referral=REFERRAL,
        seen=4,
        dossier=referral.Commitment(commitment=_HASH, sealed=_HASH),
        seal_key=_KEY.id,
    )
    yield referral.CancellationRequested(referral=REFERRAL, seen=4)
    yield referral.ReferralRedirected(referral=REFERRAL, seen=4, next=NEXT_REFERRAL)


def _requests() -> Iterator[Body]:
    request = referral.ReferralRequested(
        referral=REFERRAL,
        target="shelter",
        service=codes.CaseService.SHELTER,
        urgency=codes.Urgency.EMERGENCY,
        safety_flags=(codes.SafetyFlag.DO_NOT_CONTACT,),
        basis=referral.BasisSnapshot(
            basis=BASIS,
            kind=codes.BasisKind.ORAL_WITNESSED,
            purpose=codes.ReleasePurpose.ARRANGE_SHELTER,
            recipient_class=codes.RecipientClass.LICENSED_SHELTER,
            expires_at=_after(days=30),
        ),
    )
    yield request
    yield referral.ReferralImported(began_at=_after(days=-90), **dict(request))


def _by_target() -> Iterator[Body]:
    yield directory.KeyRetired(key=_KEY.id)
    yield directory.CapabilitiesPublished(reads=("referral.accepted.v1", "referral.requested.v1"))
    yield directory.CapacityPublished(
        service=codes.CaseService.SHELTER,
        unit=codes.CapacityUnit.FAMILY_ROOM,
        band=codes.CapacityBand.SOME,
        state=codes.CapacityState.OPEN,
        as_of=BEGAN,
        valid_until=_after(hours=24),
    )
    yield referral.ReferralDelivered(referral=REFERRAL, seen=1)
    yield referral.ReferralOpened(referral=REFERRAL, seen=2)
    yield referral.ReferralAccepted(
        referral=REFERRAL, seen=3, place_held_until=_after(hours=3), seal_key=_KEY.public_key.hex()
    )
    yield referral.ReferralRejected(referral=REFERRAL, seen=3, code=codes.RejectionCode.UNITS_FULL)
    yield referral.PlaceHoldExtended(referral=REFERRAL, seen=4, place_held_until=_after(hours=6))
    yield referral.ReferralStarted(referral=REFERRAL, seen=5, kind=codes.StartKind.ARRIVAL)
    yield referral.ReferralPaused(referral=REFERRAL, seen=6, code=codes.HoldCode.SURVIVOR_REQUEST)
    yield referral.ReferralResumed(referral=REFERRAL, seen=7)
    yield referral.ReferralCompleted(referral=REFERRAL, seen=8, outcome=codes.ServiceOutcome.DISCHARGE_PLANNED)
    yield referral.DossierDelivered(referral=REFERRAL, seen=5)
    yield referral.CancellationDeclined(referral=REFERRAL, seen=5)
    yield referral.OnwardRefused(referral=REFERRAL, seen=6)
    yield referral.ServiceContinued(referral=REFERRAL, seen=6, via=codes.AnsweredVia.IN_PERSON)
    yield referral.ReferralFailed(referral=REFERRAL, seen=5, code=codes.FailureCode.NO_ARRIVAL)
    yield referral.ReferralCancelled(referral=REFERRAL, seen=5)
    yield referral.DossierDestroyed(referral=REFERRAL, seen=9, reason=codes.DestructionReason.EXPIRED)
    yield referral.ReferralVoided(referral=REFERRAL, seen=5, code=codes.VoidCode.MISDIRECTED)
