"""Policies: the automatic procedures of a service.

A policy is a pure function of one case as its node knows it. It returns reactions: events that should exist and do not
exist yet. It never obtains consent: it acts once the release exists. Id, time and ``seen`` of a reaction derive from
its cause alone, so that a repetition, even after a rebuild of the node, produces the same bytes. An ineffective
reaction is shown to a person and not repeated.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from handoff.domain.case import Basis, Referral, Situation
from handoff.domain.decide import snapshot
from handoff.domain.judge import judge
from handoff.record.codes import CaseService, ReleasePurpose, State, Urgency
from handoff.record.envelope import Event, Source, compose
from handoff.record.events.base import Body
from handoff.record.events.referral import ReferralDelivered, ReferralRequested

_REACTIONS = UUID("c7a4f7de-8f0e-5b5b-9f53-0c9a2a4d7e21")


@dataclass(frozen=True, slots=True)
class Cause:
    """Cause of a reaction: a referral, its number of redirects, and the record time of the change."""

    referral: UUID
    at: datetime
    hop: int = 0


@dataclass(frozen=True, slots=True)
class Reaction:
    """An event that a policy emits because of ``cause``."""

    cause: Cause
    body: Body


@dataclass(frozen=True, slots=True)
class Policy:
    """A named procedure with a permanent number, which is never reused.

    ``react`` takes the folded state and the member id of the node. It is pure and returns its reactions in order.
    """

    number: int
    name: str
    react: Callable[[Situation, str], Iterable[Reaction]]


def reactions(
    policies: Iterable[Policy], known: Situation, me: Source, *, expected: Situation | None = None
) -> tuple[tuple[Event[Any], ...], Situation]:
    """Return the events that ``policies`` emit on the state of the record, ``known``, and the state after them.

    Policies see the record only, because a pending event has no record time yet and a cause must always produce the
    same bytes. ``expected`` is the optimistic state: that state plus the node's pending events. A reaction that would
    be ineffective there is omitted as well, so that a policy does not contradict a person who acted first. Each
    reaction is applied before the next, so that a policy can accept and start in one step. If a reaction would be
    ineffective, later reactions of the same policy to the same cause are omitted, so that no procedure is half done.
    """
    emitted: list[Event[Any]] = []
    expected = expected or known
    for policy in policies:
        dropped: set[Cause] = set()
        for reaction in policy.react(known, me.member):
            event = _event(policy, reaction, known, me)
            verdict, after = judge(known, event, reaction.cause.at)
            expected_verdict, expected_after = judge(expected, event, reaction.cause.at)
            if reaction.cause in dropped or not (verdict.is_effective and expected_verdict.is_effective):
                dropped.add(reaction.cause)
                continue
            emitted.append(event)
            known, expected = after, expected_after
    return tuple(emitted), known


def _event(policy: Policy, reaction: Reaction, known: Situation, me: Source) -> Event[Any]:
    if known.case is None:
        raise LookupError("cannot compose a reaction without a case")
    cause = reaction.cause
    name = f"{policy.number}/{known.case.id}/{cause.referral}/{cause.hop}/{reaction.body.type}"
    return compose(id=uuid5(_REACTIONS, name), source=me, subject=known.case.id, time=cause.at, body=reaction.body)


def derived_id(policy: int, cause: Cause) -> UUID:
    """Return the id of a referral that a policy requests."""
    return uuid5(_REACTIONS, f"{policy}/{cause.referral}/{cause.hop}/referral")


def referrals(known: Situation) -> list[Referral]:
    """Return the referrals of the case in the order of the record."""
    if known.case is None:
        return []
    return sorted(known.case.referrals.values(), key=lambda referral: (referral.requested_at, referral.id))


def live_basis(known: Situation, owner: str, purpose: ReleasePurpose) -> Basis | None:
    """Return the newest basis of ``owner`` for this purpose that has not ended. Judging checks its expiry."""
    if known.case is None:
        return None
    own = (b for b in known.case.bases.values() if b.owner == owner and b.purpose is purpose and b.ended is None)
    return max(own, key=lambda basis: (basis.recorded_at, basis.id), default=None)


def request(new: UUID, basis: Basis, target: str, service: CaseService, urgency: Urgency) -> ReferralRequested:
    """Return the body of a request that rests on ``basis``."""
    return ReferralRequested(referral=new, target=target, service=service, urgency=urgency, basis=snapshot(basis))


def _confirm_delivery(known: Situation, me: str) -> Iterable[Reaction]:
    for referral in referrals(known):
        if referral.target == me and referral.state is State.REQUESTED and referral.delivered_at is None:
            yield Reaction(Cause(referral.id, referral.requested_at), ReferralDelivered(referral=referral.id, seen=1))


CONFIRM_DELIVERY = Policy(
    1, "Confirm delivery: the system has the request, no person has opened it yet.", _confirm_delivery
)
"""First policy of every agency."""
