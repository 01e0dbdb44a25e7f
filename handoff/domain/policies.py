"""A service is a list of policies: what should exist, given what is known, and does not exist yet.

A policy looks at one case as its own node knows it and returns reactions. It never obtains consent: it acts once
the release exists. A reaction's id, time and ``seen`` come from its cause alone, so that a repeat, even after the
node was rebuilt from nothing, is the same bytes. A reaction that turns out ineffective is shown to a person and
not tried again.
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
    """What a policy reacts to: a referral, how often it was passed on, and the record time of the change."""

    referral: UUID
    at: datetime
    hop: int = 0


@dataclass(frozen=True, slots=True)
class Reaction:
    """Something a policy says because of ``cause``."""

    cause: Cause
    body: Body


@dataclass(frozen=True, slots=True)
class Policy:
    """A named procedure with a permanent number, which is never used again for another one.

    ``react`` takes what is known and the node's own member id; it is pure, and lists its reactions in order.
    """

    number: int
    name: str
    react: Callable[[Situation, str], Iterable[Reaction]]


def reactions(
    policies: Iterable[Policy], known: Situation, me: Source, *, expected: Situation | None = None
) -> tuple[tuple[Event[Any], ...], Situation]:
    """The events that ``policies`` add to what the record says, ``known``, and what is known with them.

    Policies see the record alone: what waits for its echo has no record time yet, and a cause must always give the
    same bytes. ``expected`` is the record with those own events on top; what would change nothing there is left out
    too, so that a person who acted first is not contradicted. An earlier reaction is known to the next, so that a
    policy may accept and start in one go. Where one would change nothing, what the same policy says after it for the
    same cause is left out as well: nothing is half done.
    """
    said: list[Event[Any]] = []
    expected = expected or known
    for policy in policies:
        dropped: set[Cause] = set()
        for reaction in policy.react(known, me.member):
            event = _event(policy, reaction, known, me)
            verdict, after = judge(known, event, reaction.cause.at)
            hoped, afterwards = judge(expected, event, reaction.cause.at)
            if reaction.cause in dropped or not (verdict.is_effective and hoped.is_effective):
                dropped.add(reaction.cause)
                continue
            said.append(event)
            known, expected = after, afterwards
    return tuple(said), known


def _event(policy: Policy, reaction: Reaction, known: Situation, me: Source) -> Event[Any]:
    if known.case is None:
        raise LookupError("a policy looks at a case")
    cause = reaction.cause
    name = f"{policy.number}/{cause.referral}/{cause.hop}/{reaction.body.type}"
    return compose(id=uuid5(_REACTIONS, name), source=me, subject=known.case.id, time=cause.at, body=reaction.body)


def derived_id(policy: int, cause: Cause) -> UUID:
    """The id of a referral that a policy begins."""
    return uuid5(_REACTIONS, f"{policy}/{cause.referral}/{cause.hop}/referral")


def referrals(known: Situation) -> list[Referral]:
    """The case's referrals in the record's order."""
    if known.case is None:
        return []
    return sorted(known.case.referrals.values(), key=lambda referral: (referral.requested_at, referral.id))


def live_basis(known: Situation, owner: str, purpose: ReleasePurpose) -> Basis | None:
    """The newest basis of that purpose that ``owner`` recorded and that has not ended; expiry is the judge's matter."""
    if known.case is None:
        return None
    own = (b for b in known.case.bases.values() if b.owner == owner and b.purpose is purpose and b.ended is None)
    return max(own, key=lambda basis: (basis.recorded_at, basis.id), default=None)


def request(new: UUID, basis: Basis, target: str, service: CaseService, urgency: Urgency) -> ReferralRequested:
    """A request that rests on ``basis``."""
    return ReferralRequested(referral=new, target=target, service=service, urgency=urgency, basis=snapshot(basis))


def _confirm_delivery(known: Situation, me: str) -> Iterable[Reaction]:
    for referral in referrals(known):
        if referral.target == me and referral.state is State.REQUESTED and referral.delivered_at is None:
            yield Reaction(Cause(referral.id, referral.requested_at), ReferralDelivered(referral=referral.id, seen=1))


CONFIRM_DELIVERY = Policy(1, "A machine receipt: the request has arrived, nobody has seen it yet.", _confirm_delivery)
"""Every agency's first policy."""
