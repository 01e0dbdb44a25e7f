"""Strategies for programs of events on a record: honest and forged events, repetitions and late timers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st
from pydantic import ValidationError

from handoff.contract.examples import examples
from handoff.domain.rules import current_version
from handoff.domain.timers import event_at, timers
from handoff.record.codes import (
    BasisKind,
    CaseService,
    EndScope,
    FailureCode,
    HoldCode,
    RejectionCode,
    ReleasePurpose,
    ServiceOutcome,
    StartKind,
    VoidCode,
)
from handoff.record.envelope import EXCHANGE, compose
from handoff.record.events import Body
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.spec import (
    BASIS,
    CASE,
    COORDINATION,
    CSW,
    DAY,
    HOUR,
    JURISDICTION,
    LAWYER,
    POLICE,
    REFERRAL,
    SHELTER,
    SHELTER_B,
    T0,
    Record,
    Sent,
    nth_id,
)

Move = Callable[[Record], None]
"""One thing that happens to a record."""

SECOND, THIRD = nth_id(3), nth_id(13)
REFERRALS = (REFERRAL, SECOND, THIRD)
BEGINNING = (
    spec.opened(),
    spec.released(),
    *spec.another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION, number=6),
    Sent(SHELTER, spec.release(ReleasePurpose.CASE_MANAGEMENT, basis=nth_id(20), to=CSW)),
)
_COMMITMENT = r.Commitment(commitment="0" * 64, sealed="1" * 64)


def _of_source(referral: UUID) -> tuple[Body, ...]:
    return (
        r.AcceptanceClaimed(referral=referral, via="phone"),
        r.CancellationRequested(referral=referral),
        r.ReferralCancelled(referral=referral),
        r.ReferralFailed(referral=referral, code=FailureCode.NO_ARRIVAL),
        r.ReferralVoided(referral=referral, code=VoidCode.WRONG_TARGET),
        r.DossierDisclosed(referral=referral, dossier=_COMMITMENT, seal_key="2" * 64),
        r.ReferralRedirected(referral=referral, next=SECOND if referral == REFERRAL else REFERRAL),
    )


def _of_target(referral: UUID) -> tuple[Body, ...]:
    return (
        r.ReferralDelivered(referral=referral),
        r.ReferralOpened(referral=referral),
        r.ReferralAccepted(referral=referral, place_held_until=T0 + 3 * HOUR),
        r.ReferralRejected(referral=referral, code=RejectionCode.UNITS_FULL),
        r.ReferralRejected(referral=referral, code=RejectionCode.SURVIVOR_DECLINED),
        r.PlaceHoldExtended(referral=referral, place_held_until=T0 + 6 * HOUR),
        r.ReferralStarted(referral=referral, kind=StartKind.ARRIVAL),
        r.ReferralStarted(referral=referral, kind=StartKind.FIRST_CONTACT),
        r.ReferralPaused(referral=referral, code=HoldCode.WAITING_INTAKE),
        r.ReferralResumed(referral=referral),
        r.ReferralCompleted(referral=referral, outcome=ServiceOutcome.DISCHARGE_OWN_WISH),
        r.ReferralCompleted(referral=referral, outcome=ServiceOutcome.REPRESENTED),
        r.ReferralFailed(referral=referral, code=FailureCode.LEFT_SERVICE),
        r.ReferralCancelled(referral=referral),
        r.CancellationDeclined(referral=referral),
        r.OnwardRefused(referral=referral),
        r.ServiceContinued(referral=referral, via="phone"),
        r.DossierDelivered(referral=referral),
        r.ReferralVoided(referral=referral, code=VoidCode.MISDIRECTED),
    )


_SCOPES: tuple[Mapping[str, Any], ...] = (
    {"scope": EndScope.ALL},
    {"scope": EndScope.PURPOSE, "purpose": ReleasePurpose.ARRANGE_SHELTER},
    {"scope": EndScope.RECIPIENT, "recipient": SHELTER},
    {"scope": EndScope.RECIPIENT, "recipient": LAWYER},
)
HONEST: tuple[Sent, ...] = (
    Sent(POLICE, spec.request()),
    Sent(POLICE, spec.request(target=SHELTER_B, referral=SECOND)),
    Sent(POLICE, spec.release(basis=nth_id(21), kind=BasisKind.WRITTEN)),
    *(Sent(POLICE, body) for referral in REFERRALS for body in _of_source(referral)),
    *(
        Sent(target, body)
        for referral, target in zip(REFERRALS, (SHELTER, SHELTER_B, LAWYER), strict=True)
        for body in _of_target(referral)
    ),
    *(Sent(by, c.ReleaseWithdrawn(**scope)) for by in (POLICE, LAWYER, SHELTER) for scope in _SCOPES),
    *(Sent(by, c.SurvivorEnded(**scope)) for by in (POLICE, LAWYER, SHELTER, SHELTER_B) for scope in _SCOPES),
    Sent(COORDINATION, d.AgencySuspended(member=SHELTER_B)),
    Sent(COORDINATION, d.DeadlinesPublished(deadlines=spec.DEADLINES[:5])),
)


def _saying(sent: Sent) -> Move:
    def move(record: Record) -> None:
        record.now += sent.after
        record.append(record.envelope(sent))

    return move


def _exchange_speaks(record: Record) -> None:
    if record.waiting:
        record.append(record.waiting.popleft())


def _a_timer_goes_off(choice: int, late: int) -> Move:
    def move(record: Record) -> None:
        awaited = list(timers(record.case()))
        if awaited:
            timer = awaited[choice % len(awaited)]
            if late:
                record.now = max(record.now, timer.due_at)
            event = event_at(record.known(), timer.holder, timer.name, timer.since, late)
            assert event is not None
            record.append(event)

    return move


def _repeated(choice: int) -> Move:
    def move(record: Record) -> None:
        if record.entries:
            record.append(record.entries[choice % len(record.entries)].event)

    return move


_CHOICE = st.integers(0, 50)
honest_moves: st.SearchStrategy[Move] = st.one_of(
    st.sampled_from([_saying(sent) for sent in HONEST]),
    st.sampled_from([_saying(sent) for sent in HONEST[:2]]),
    st.just(_exchange_speaks),
    st.builds(_a_timer_goes_off, _CHOICE, st.integers(0, 1)),
    st.builds(_repeated, _CHOICE),
)
"""Moves of honest members, timers and a lagging exchange, with repetitions."""


# Anything at all

_EMITTERS = (*spec.MEMBERS, EXCHANGE, "stranger")
_IDS = (REFERRAL, SECOND, THIRD, BASIS, nth_id(12), nth_id(20), nth_id(500), CASE)
_TIMES = (T0 - DAY, T0, T0 + HOUR, T0 + 30 * DAY)
_BODIES: tuple[Body, ...] = (
    # A version of the rules that no release has stops every reader; it has tests of its own.
    *(event.data for event in examples().values() if not isinstance(event.data, d.RulesActivated)),
    d.RulesActivated(version=current_version()),
    *(sent.body for sent in (*BEGINNING, *HONEST)),
)


def _pool(value: object) -> tuple[Any, ...] | None:
    if isinstance(value, StrEnum):
        return tuple(type(value))
    if isinstance(value, UUID):
        return _IDS
    if isinstance(value, datetime):
        return _TIMES
    return _EMITTERS if isinstance(value, str) and value in _EMITTERS else None


@st.composite
def any_body(draw: st.DrawFn) -> Body:
    """A body that can be decoded, of any type, with any known ids, codes, members and times in it."""
    body = draw(st.sampled_from(_BODIES))
    fields = dict(body)
    for name, value in fields.items():
        pool = _pool(value)
        if pool is not None and draw(st.booleans()):
            fields[name] = draw(st.sampled_from(pool))
    try:
        return type(body)(**fields)
    except ValidationError:
        return body


@st.composite
def forged_moves(draw: st.DrawFn) -> Move:
    """Any body by any member, under an id that may have been used."""
    body, emitter = draw(any_body()), draw(st.sampled_from(_EMITTERS))
    id_, passed = uuid5(CASE, str(draw(_CHOICE))), draw(st.sampled_from((spec.SECOND, HOUR)))

    def move(record: Record) -> None:
        record.now += passed
        subject = body.keying.subject(JURISDICTION, CASE)
        record.append(compose(id=id_, source=spec.source(emitter), subject=subject, time=T0, body=body))

    return move


many_moves: st.SearchStrategy[list[Move]] = st.lists(
    st.one_of(honest_moves, honest_moves, honest_moves, forged_moves()), min_size=1, max_size=40
)
_ASKED = (*BEGINNING, *HONEST[:2])
_ANSWERED = tuple(Sent(SHELTER, body) for body in _of_target(REFERRAL)[:3])
_UNDER_WAY = (*_ASKED, *_ANSWERED, Sent(SHELTER, _of_target(REFERRAL)[6]))
_REFUSED = (*_ASKED, Sent(SHELTER, _of_target(REFERRAL)[3]))
beginnings: st.SearchStrategy[tuple[Sent, ...]] = st.sampled_from(
    [BEGINNING, _ASKED, (*_ASKED, *_ANSWERED), _UNDER_WAY, _REFUSED]
)
"""States of a case in which a program starts."""


def played(moves: list[Move], beginning: tuple[Sent, ...]) -> Record:
    """Return the record after all moves and the exchange's consequences."""
    record = Record()
    record.send(*beginning)
    for move in moves:
        move(record)
    record.settle()
    return record
