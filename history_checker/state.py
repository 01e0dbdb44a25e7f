"""State of a jurisdiction and its cases at one position of the record, folded by the checker."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from history_checker.lifecycle_tables import NO_PLACE_CODES, OPEN_STATES
from history_checker.signatures import MemberKey
from history_checker.snapshot import Json, ReferralKey
from history_checker.working_time import Hold, TimeAllowed, due_time


@dataclass(slots=True)
class PendingStep:
    """Step of a procedure that is awaited, with its deadline."""

    name: str
    since: datetime
    due: datetime
    missed: bool = False
    suspended: bool = False
    row: Json | None = None
    calendar: Json | None = None
    unanswered_miss: str | None = None
    """Event of the miss that the coordinator did not acknowledge yet."""
    answers: str | None = None
    """Event of the miss that this step of the coordinator acknowledges."""


@dataclass(slots=True)
class Basis:
    """Release or legal basis for a disclosure, as its owner recorded it in ``terms``."""

    owner: str
    terms: Json
    expires: datetime
    approved: bool
    ended: str | None = None
    end_is_on_record: bool = False
    withdrawn_for: set[str] = field(default_factory=set)
    steps: list[PendingStep] = field(default_factory=list)

    def ended_for(self, target: str) -> str | None:
        """Return the reason why the basis no longer covers disclosures to ``target``; None if it does."""
        return "release_withdrawn" if target in self.withdrawn_for else self.ended


@dataclass(slots=True)
class Referral:
    """State of a referral; all times are record times."""

    id: str
    source: str
    target: str
    service: str
    urgency: str
    basis: str
    basis_expires: datetime
    follow_up_due: datetime | None
    requested_at: datetime
    since: datetime
    state: str = "requested"
    code: str | None = None
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    answered_at: datetime | None = None
    started_at: datetime | None = None
    closed_at: datetime | None = None
    paused_at: datetime | None = None
    paused_from: str = ""
    cancellation_asked_at: datetime | None = None
    ending_reported_at: datetime | None = None
    revoked_for: str | None = None
    onward_refused_at: datetime | None = None
    held_until: datetime | None = None
    hold_agreed_at: datetime | None = None
    holds: list[Hold] = field(default_factory=list)
    disclosure_open: bool = True
    next: str | None = None
    facts: set[str] = field(default_factory=set)
    steps: list[PendingStep] = field(default_factory=list)

    def other_side(self, member: str) -> str:
        """Return the counterpart of ``member``."""
        return self.target if member == self.source else self.source


@dataclass(slots=True)
class Case:
    """Case of one survivor."""

    opener: str | None = None
    bases: dict[str, Basis] = field(default_factory=dict)
    referrals: dict[str, Referral] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)

    def has_party(self, member: str) -> bool:
        """Return whether ``member`` opened the case or is a side of one of its referrals."""
        return member == self.opener or any(member in (r.source, r.target) for r in self.referrals.values())


@dataclass(slots=True)
class Member:
    """Institution as the coordinator admitted it."""

    kind: str
    services: tuple[str, ...]
    classes: tuple[str, ...]
    suspended: bool = False


@dataclass(slots=True)
class JurisdictionState:
    """Members, keys, deadlines and cases of a jurisdiction."""

    jurisdiction: str
    founded: bool = False
    coordinator: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    keys: dict[str, MemberKey] = field(default_factory=dict)
    deadlines: tuple[Json, ...] = ()
    calendar: Json | None = None
    escalations: set[str] = field(default_factory=set)
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def referrals(self) -> dict[ReferralKey, Referral]:
        """Referrals of all cases."""
        return {
            ReferralKey(case_id, referral_id): referral
            for case_id, case in self.cases.items()
            for referral_id, referral in case.referrals.items()
        }

    def deadline(self, step: str, referral: Referral | None) -> Json | None:
        """Return the first row that applies to a step of a referral, or of a basis; None if no row does."""
        service, urgency = (referral.service, referral.urgency) if referral is not None else (None, None)
        for row in self.deadlines:
            covers_service = row.get("service") in (None, service)
            covers_urgency = urgency in (row.get("urgencies") or [urgency])
            if row["step"] == step and covers_service and covers_urgency:
                return row
        return None


def update_steps(state: JurisdictionState, referral: Referral) -> None:
    """Recompute the pending steps. A step that was pending before keeps the deadline with which it began."""
    pending = {(step.name, step.since): step for step in referral.steps}
    answering = [step for step in referral.steps if step.answers is not None]
    referral.steps = []
    for name, since in _awaited_steps(referral):
        agreed = {"arrival": referral.held_until, "follow_up": referral.follow_up_due}.get(name)
        step = pending.get((name, since))
        if step is None:
            row = state.deadline(name, referral)
            if row is None and agreed is None:
                continue
            step = PendingStep(name, since, since, row=row, calendar=state.calendar)
        if not step.missed:
            _set_due_time(referral, step, agreed)
        referral.steps.append(step)
    late = {step.unanswered_miss for step in referral.steps}
    referral.steps += [step for step in answering if step.answers in late]


def acknowledgement_step(
    state: JurisdictionState, referral: Referral | None, miss: str, at: datetime
) -> PendingStep | None:
    """Return the step in which the coordinator acknowledges a miss; None without a deadline for it."""
    row = state.deadline("acknowledged", referral)
    if row is None:
        return None
    due, _ = due_time(at, _allowed(row, state.calendar, state.coordinator), [])
    return PendingStep("acknowledged", at, due, row=row, calendar=state.calendar, answers=miss)


def _set_due_time(referral: Referral, step: PendingStep, agreed: datetime | None) -> None:
    row = step.row or {}
    since, stopped_by = step.since, tuple(row.get("paused_by", ()))
    if agreed is not None:
        since = referral.hold_agreed_at if step.name == "arrival" and referral.hold_agreed_at else step.since
        allowed = TimeAllowed(agreed - since, "elapsed", stopped_by=stopped_by)
    else:
        owes = referral.source if step.name in ("arrival", "next_referral") else referral.target
        allowed = _allowed(row, step.calendar, owes)
    step.due, step.suspended = due_time(since, allowed, referral.holds)


def _allowed(row: Json, calendar: Json | None, owes: str) -> TimeAllowed:
    in_days = row["unit"] == "working_days"
    kind = "days" if in_days else "hours" if row["calendar"] == "working" else "elapsed"
    amount = int(row["amount"]) * (timedelta(days=1) if in_days else timedelta(seconds=1))
    return TimeAllowed(amount, kind, calendar, owes, tuple(row["paused_by"]))


def _awaited_steps(r: Referral) -> list[tuple[str, datetime]]:
    # A hold leaves the steps of the state before it open.
    state = r.paused_from or r.state
    requested, accepted = state == "requested", state == "accepted"
    no_place = r.state == "rejected" and r.service == "shelter" and r.code in NO_PLACE_CODES and r.next is None
    started_at = {
        "delivered": r.requested_at if requested and r.delivered_at is None else None,
        "opened": r.delivered_at if requested and r.urgency == "emergency" and r.opened_at is None else None,
        "answered": r.delivered_at if requested else None,
        "first_contact": r.answered_at if accepted and r.service in ("case_management", "child_protection") else None,
        "arrival": r.answered_at if accepted and r.service == "shelter" else None,
        "review": r.paused_at if r.state == "on-hold" else None,
        "cancellation_answered": r.cancellation_asked_at if r.state in OPEN_STATES else None,
        "ending_answered": r.ending_reported_at if r.state in OPEN_STATES else None,
        "onward_answered": r.onward_refused_at if r.state in OPEN_STATES else None,
        "next_referral": r.closed_at if no_place else None,
        "benefit_decided": r.requested_at if r.service == "benefit_continuity" and r.state in OPEN_STATES else None,
        "order_decided": r.started_at if r.service == "protection_order" and state == "in-progress" else None,
        "follow_up": r.requested_at if r.follow_up_due is not None and (requested or accepted) else None,
    }
    return [(name, since) for name, since in started_at.items() if since is not None]
