"""What the checker knows at a position of the record: the jurisdiction and its cases, as it folds them itself."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from history_checker.evidence import Json
from history_checker.reading import Key
from history_checker.table import NO_PLACE, OPEN


@dataclass(slots=True)
class Step:
    """A step that somebody waits for."""

    name: str
    since: datetime
    due: datetime
    missed: bool = False


@dataclass(slots=True)
class Basis:
    """A release or legal basis."""

    owner: str
    said: Json
    expires: datetime
    approved: bool
    ended: str | None = None
    end_was_said: bool = False
    withdrawn_for: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    def ended_for(self, target: str) -> str | None:
        """Why it allows nothing more to be told to ``target``."""
        return "release_withdrawn" if target in self.withdrawn_for else self.ended


@dataclass(slots=True)
class Referral:
    """One referral; times are the record's."""

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
    held_until: datetime | None = None
    disclosure_open: bool = True
    next: str | None = None
    facts: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    def other(self, member: str) -> str:
        """The side that ``member`` is not."""
        return self.target if member == self.source else self.source


@dataclass(slots=True)
class Case:
    """One survivor's matter."""

    opener: str | None = None
    bases: dict[str, Basis] = field(default_factory=dict)
    referrals: dict[str, Referral] = field(default_factory=dict)

    def has_party(self, member: str) -> bool:
        """Whether ``member`` opened it or is a side of a referral in it."""
        return member == self.opener or any(member in (r.source, r.target) for r in self.referrals.values())


@dataclass(slots=True)
class Member:
    """A member as admitted."""

    kind: str
    services: tuple[str, ...]
    classes: tuple[str, ...]
    suspended: bool = False


@dataclass(slots=True)
class World:
    """A whole jurisdiction at one position of its record."""

    jurisdiction: str
    founded: bool = False
    coordinator: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    deadlines: tuple[Json, ...] = ()
    escalations: set[str] = field(default_factory=set)
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def referrals(self) -> dict[str, Referral]:
        """Every referral of every case."""
        return {key: referral for case in self.cases.values() for key, referral in case.referrals.items()}

    def allowed(self, step: str, referral: Referral) -> timedelta | None:
        """How long a step may take: the first deadline that fits."""
        for row in self.deadlines:
            fits_service = row.get("service") in (None, referral.service)
            if (
                row["step"] == step
                and fits_service
                and referral.urgency in (row.get("urgencies") or [referral.urgency])
            ):
                return timedelta(seconds=row["seconds"])
        return None


def renew_steps(world: World, referral: Referral) -> None:
    """The steps that are awaited now; a step that goes on keeps the deadline under which it began."""
    begun = {(step.name, step.since): step for step in referral.steps}
    referral.steps = []
    for name, since in _awaited(referral):
        agreed = {"arrival": referral.held_until, "follow_up": referral.follow_up_due}.get(name)
        kept, allowed = begun.get((name, since)), world.allowed(name, referral)
        if kept is not None and (kept.missed or agreed in (None, kept.due)):
            referral.steps.append(kept)
        elif agreed is not None:
            referral.steps.append(Step(name, since, agreed))
        elif allowed is not None:
            referral.steps.append(Step(name, since, since + allowed))


def _awaited(r: Referral) -> list[tuple[str, datetime]]:
    asked, accepted = r.state == "requested", r.state == "accepted"
    turned_away = r.state == "rejected" and r.service == "shelter" and r.code in NO_PLACE and r.next is None
    waits = {
        "delivered": r.requested_at if asked and r.delivered_at is None else None,
        "opened": r.delivered_at if asked and r.urgency == "emergency" and r.opened_at is None else None,
        "answered": r.delivered_at if asked else None,
        "first_contact": r.answered_at if accepted and r.service in ("case_management", "child_protection") else None,
        "arrival": r.answered_at if accepted and r.service == "shelter" else None,
        "review": r.paused_at if r.state == "on-hold" else None,
        "cancellation_answered": r.cancellation_asked_at if r.state in OPEN else None,
        "next_referral": r.closed_at if turned_away else None,
        "benefit_decided": r.requested_at if r.service == "benefit_continuity" and r.state in OPEN else None,
        "order_decided": r.started_at if r.service == "protection_order" and r.state == "in-progress" else None,
        "follow_up": r.requested_at if r.follow_up_due is not None and (asked or accepted) else None,
    }
    return [(name, since) for name, since in waits.items() if since is not None]
