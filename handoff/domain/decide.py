"""Decide a command: return its events or a coded refusal. Pure: time and ids are arguments."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from handoff.domain import conditions
from handoff.domain.case import Basis, Situation
from handoff.domain.commands import (
    BasisCommand,
    CaseCommand,
    Command,
    EscalationCommand,
    LinkCase,
    RecordBasis,
    ReferralCommand,
    RequestReferral,
)
from handoff.domain.judge import judge
from handoff.record.codes import CommandRefusal, IneffectiveReason, State
from handoff.record.envelope import Event, Source, compose
from handoff.record.events.base import Audience, Body, ReferralBody
from handoff.record.events.referral import BasisSnapshot, ReferralRedirected, ReferralRequested


@dataclass(frozen=True, slots=True)
class About:
    """Object of a command: the ids in its path. ``case`` is None for a command about the jurisdiction.

    ``makes`` is the id of the basis or referral that the command creates; None for a random one.
    """

    case: UUID | None = None
    referral: UUID | None = None
    basis: UUID | None = None
    escalation: UUID | None = None
    # Derived, not requested: excluded from equality and from the idempotency hash.
    makes: UUID | None = field(default=None, repr=False, compare=False)


CLAIM_TOLERANCE = timedelta(minutes=15)
"""Time by which a caller's clock may be ahead of the node's."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reason why a command is refused: a code, and the state of the referral if there is one."""

    code: str
    state: State | None = None


@dataclass(frozen=True, slots=True)
class InvalidField:
    """Field of a command that makes no sense here, and why."""

    field: str
    problem: str


def invalid_field(command: Command, about: About, now: datetime) -> InvalidField | None:
    """Return the field of a person's or system's command that makes no sense; None if all of them do.

    A policy's command is not checked: it states the record time of its cause, and this node's clock may be behind.
    """
    if command.occurred_at is not None and command.occurred_at > now + CLAIM_TOLERANCE:
        return InvalidField("occurred_at", "is in the future")
    if isinstance(command, LinkCase) and command.other_case == about.case:
        return InvalidField("other_case", "is the case itself")
    return None


NewId = Callable[[], UUID]


def decide(
    known: Situation,
    command: Command,
    about: About,
    *,
    me: Source,
    now: datetime,
    at: datetime | None = None,
    new_id: NewId,
) -> tuple[Event[Any], ...] | Refusal:
    """Return the events of ``command``, or a refusal if one of them would be ineffective.

    ``known`` is the optimistic state: the state of the record plus this node's pending events. The events are judged
    in order, each on the state after the one before, at ``at``: ``now``, unless the caller's clock is known to be off.
    """
    bodies = _bodies(known, command, about, new_id)
    if isinstance(bodies, Refusal):
        return bodies
    events: list[Event[Any]] = []
    for body in bodies:
        subject = body.keying.subject(known.directory.jurisdiction, about.case)
        time = command.occurred_at or now
        event = compose(id=new_id(), source=me, subject=subject, time=time, body=_with_seen(known, body))
        verdict, after = judge(known, event, at or now)
        if not verdict.is_effective:
            return _refusal(known, event, verdict.reason or "")
        if (refusal := unreadable(after, event)) is not None:
            return refusal
        events.append(event)
        known = after
    return tuple(events)


def _bodies(known: Situation, command: Command, about: About, new_id: NewId) -> tuple[Body, ...] | Refusal:
    if isinstance(command, RequestReferral):
        return _request(known, command, about.makes or new_id())
    ids: dict[str, UUID | None] = {}
    if isinstance(command, RecordBasis):
        ids["basis"] = about.makes or new_id()
    elif isinstance(command, BasisCommand):
        ids["basis"] = about.basis
    elif isinstance(command, ReferralCommand):
        ids["referral"] = about.referral
    elif isinstance(command, EscalationCommand):
        ids["reference"] = about.escalation
    return (command.makes(**_terms(command), **ids),)


def _terms(command: Command) -> dict[str, Any]:
    own = {"occurred_at", "redirects", "basis"} if isinstance(command, CaseCommand) else {"occurred_at"}
    return {name: getattr(command, name) for name in type(command).model_fields if name not in own}


def _request(known: Situation, command: RequestReferral, referral: UUID) -> tuple[Body, ...] | Refusal:
    basis = known.case.bases.get(command.basis) if known.case is not None else None
    if basis is None:
        return Refusal(IneffectiveReason.BASIS_MISSING)
    request = ReferralRequested(referral=referral, basis=snapshot(basis), **_terms(command))
    if command.redirects is None:
        return (request,)
    return request, ReferralRedirected(referral=command.redirects, next=request.referral)


def snapshot(basis: Basis) -> BasisSnapshot:
    """Return the copy of ``basis`` that a request carries."""
    return BasisSnapshot(
        basis=basis.id,
        kind=basis.kind,
        purpose=basis.purpose,
        recipient=basis.recipient,
        recipient_class=basis.recipient_class,
        expires_at=basis.expires_at,
    )


def _with_seen(known: Situation, body: Body) -> Body:
    if not isinstance(body, ReferralBody) or known.case is None:
        return body
    referral = known.case.referrals.get(body.referral)
    return body.model_copy(update={"seen": referral.seen}) if referral is not None else body


def _refusal(known: Situation, event: Event[Any], reason: str) -> Refusal:
    referral = conditions.referral_of(known, event)
    return Refusal(reason, referral.state if referral is not None else None)


def unreadable(known: Situation, event: Event[Any]) -> Refusal | None:
    """Return the refusal of an event whose recipient has not declared that it reads this type; None if it reads it."""
    referral = conditions.referral_of(known, event)
    if referral is None or event.data.audience is Audience.EMITTER_ONLY:
        return None
    recipient = referral.other_party(event.emitter)
    return (
        Refusal(CommandRefusal.RECIPIENT_CANNOT_READ)
        if known.directory.cannot_read(recipient, type(event.data))
        else None
    )
