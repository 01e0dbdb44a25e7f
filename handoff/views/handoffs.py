"""Handoffs: a referral as a wait from request to end, with the moments that its clocks need."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from handoff.domain.case import Case, Ending, HoldPeriod, Referral, ReferralKey, Step
from handoff.record.codes import CaseService, State, Urgency


class Handoff(Struct, frozen=True):
    """Moments of one referral, in record time.

    ``root`` is the first referral of its chain of redirects, in the same case, and ``hop`` the position in that chain.
    """

    referral: UUID
    case: UUID
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    state: State
    requested_at: datetime
    delivered_at: datetime | None
    opened_at: datetime | None
    answered_at: datetime | None
    started_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    place_held_until: datetime | None
    place_agreed_at: datetime | None
    root: UUID
    hop: int
    ending: Ending | None = None
    pauses: tuple[HoldPeriod, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def key(self) -> ReferralKey:
        """Identity of the referral."""
        return ReferralKey(self.case, self.referral)

    @property
    def is_open(self) -> bool:
        """Return whether the handoff is open."""
        return self.closed_at is None


def changed_handoffs(before: Case | None, after: Case) -> Iterator[Handoff]:
    """Yield the handoffs of ``after`` that differ from those of ``before``, one event earlier."""
    earlier = before.referrals if before is not None else {}
    roots_moved = any(r.next is not None and _is_new_redirect(earlier.get(r.id), r) for r in after.referrals.values())
    for referral in after.referrals.values():
        if roots_moved or earlier.get(referral.id) is not referral:
            yield handoff(after, referral)


def handoff(case: Case, after: Referral) -> Handoff:
    """Build the handoff of ``after``."""
    return Handoff(
        referral=after.id,
        case=case.id,
        source=after.source,
        target=after.target,
        service=after.service,
        urgency=after.urgency,
        state=after.state,
        requested_at=after.requested_at,
        delivered_at=after.delivered_at,
        opened_at=after.opened_at,
        answered_at=after.answered_at,
        started_at=after.started_at,
        closed_at=after.closed_at,
        due_at=after.due_at,
        place_held_until=after.place_held_until,
        place_agreed_at=after.place_agreed_at,
        root=chain_root(case, after.id),
        hop=after.hop,
        ending=after.ending,
        pauses=after.pauses,
        steps=after.steps,
    )


def chain_root(case: Case, referral: UUID) -> UUID:
    """Return the first referral of the chain of redirects that led to ``referral``."""
    previous = {r.next: r.id for r in case.referrals.values() if r.next is not None}
    passed = {referral}
    while (before := previous.get(referral)) is not None and before not in passed:
        passed.add(before)
        referral = before
    return referral


def _is_new_redirect(before: Referral | None, after: Referral) -> bool:
    return before is None or before.next != after.next
