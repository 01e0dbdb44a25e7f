"""Handoffs: a referral as a wait from request to end, with the moments that its clocks need."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from handoff.domain.case import Case, Referral, ReferralKey
from handoff.domain.lifecycle import ENDED
from handoff.record.codes import CaseService, State, Urgency


class Ending(Struct, frozen=True):
    """First end of a referral. A later correction does not change it."""

    state: State
    code: str | None


class Handoff(Struct, frozen=True):
    """Moments of one referral, in record time.

    ``paused_ms`` is the total of ended pauses, ``paused_before_start_ms`` its part before the
    service began, ``paused_at`` the start of a lasting pause. ``root`` is the first referral of its chain of
    redirects, in the same case, and ``hop`` the position in that chain.
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
    paused_at: datetime | None
    paused_ms: int
    due_at: datetime | None
    root: UUID
    hop: int
    paused_before_start_ms: int | None = None
    ending: Ending | None = None

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
            yield handoff(after, earlier.get(referral.id), referral)


def handoff(case: Case, before: Referral | None, after: Referral) -> Handoff:
    """Build the handoff of ``after``. Fields that only another step can show stay None."""
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
        paused_at=after.paused_at,
        paused_ms=after.paused_ms,
        due_at=after.due_at,
        root=chain_root(case, after.id),
        hop=after.hop,
        paused_before_start_ms=_paused_before_start(before, after),
        ending=_ending(before, after),
    )


def merged(earlier: Handoff | None, later: Handoff) -> Handoff:
    """Merge into ``later`` the fields that only an earlier step showed."""
    if earlier is None:
        return later
    paused = later.paused_before_start_ms
    return replace(
        later,
        ending=earlier.ending or later.ending,
        paused_before_start_ms=earlier.paused_before_start_ms if paused is None else paused,
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


def _paused_before_start(before: Referral | None, after: Referral) -> int | None:
    if after.started_at is None:
        return after.paused_ms
    return before.paused_ms if before is not None and before.started_at is None else None


def _ending(before: Referral | None, after: Referral) -> Ending | None:
    ends_here = after.state in ENDED and (before is None or before.state not in ENDED)
    return Ending(after.state, after.code) if ends_here else None
