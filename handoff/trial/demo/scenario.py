"""The scenario that the demo plays: one survivor's way through eight institutions, over their public HTTP APIs.

Claimed times make it span months and colour the timeline only; by the record's time it runs in seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from handoff.trial.demo.agency import Agency, Json, until
from handoff.trial.errors import TrialError

Say = Callable[[str], None]
Step = Callable[["Scenario"], None]


class Stage(Protocol):
    """What the scenario may do beside talking to the APIs: break things on purpose, as an operator could."""

    def kill(self, process: str) -> None:
        """Ends a process by SIGKILL."""

    def restart(self, process: str) -> None:
        """Starts it again and waits until it is ready."""

    def pause_relay(self, member: str) -> None:
        """Holds back what a node sends."""

    def resume_relay(self, member: str) -> None:
        """Lets it go."""


@dataclass
class Scenario:
    """The survivor's case as it is played; ``now`` is this machine's time, ``tell`` says what happens."""

    agencies: Mapping[str, Agency]
    stage: Stage
    tell: Say
    now: datetime
    case: str = ""
    bases: dict[str, str] = field(default_factory=dict)
    referrals: dict[str, str] = field(default_factory=dict)

    def play(self) -> None:
        """Every step in order. Raises TrialError at the first thing that is not as it should be."""
        for number, step in enumerate(STEPS, start=1):
            self.tell(f"[bold]{number:>2}[/] {step.__doc__}")
            step(self)

    def agency(self, name: str) -> Agency:
        """One agency's system."""
        return self.agencies[name]

    def day(self, days: float) -> datetime:
        """A claimed time: so many days after the case began, half a year ago."""
        return self.now - timedelta(days=190) + timedelta(days=days)

    def later(self, **span: float) -> str:
        """A real time to come."""
        return (self.now + timedelta(**span)).isoformat()

    def release(self, owner: str, name: str, day: float, **terms: str) -> None:
        """A release for a year, recorded by ``owner`` and remembered as ``name``."""
        body = {"kind": "release.oral_witnessed", "expires_at": self.later(days=365), **terms}
        recorded = self.agency(owner).say(f"/cases/{self.case}/bases", body, at=self.day(day))
        self.bases[name] = recorded["basis"]

    def request(self, source: str, name: str, day: float, **terms: str) -> None:
        """A request remembered as ``name``; ``basis`` names a remembered basis."""
        body = {**terms, "basis": self.bases[terms["basis"]]}
        asked = self.agency(source).say(f"/cases/{self.case}/referrals", body, at=self.day(day))
        self.referrals[name] = asked["referral"]

    def on(self, name: str) -> str:
        """The path of a remembered referral."""
        return f"/cases/{self.case}/referrals/{self.referrals[name]}"

    def answer(self, member: str, name: str, day: float, resource: str, **terms: str) -> None:
        """Something said on a remembered referral."""
        until(f"{member} has the request", lambda: self.agency(member).knows(self.on(name)) or None)
        self.agency(member).say(f"{self.on(name)}/{resource}", terms, at=self.day(day))

    def take_on(self, member: str, name: str, day: float, start: str) -> None:
        """A person opens a request, accepts it and begins."""
        self.answer(member, name, day, "opening")
        self.answer(member, name, day + 0.01, "acceptance")
        self.answer(member, name, day + 0.02, "start", kind=start)

    def state(self, member: str, name: str) -> str:
        """The state of a remembered referral as ``member`` sees it."""
        return str(self.agency(member).look(self.on(name))["state"])


def open_the_case(s: Scenario) -> None:
    """Police open a case at night, record her oral releases and ask for a place in a shelter, as an emergency."""
    opening = {
        "entry_point": "police_call",
        "reporting_delay": "over_1y",
        "offered": [
            {"service": "shelter", "answer": "accepted"},
            {"service": "legal_aid", "answer": "accepted"},
        ],
    }
    s.case = s.agency("police").say("/cases", opening, at=s.day(0))["case"]
    s.release("police", "any shelter", 0.01, recipient_class="licensed_shelter", purpose="arrange_shelter")
    s.release("police", "legal aid", 0.01, recipient="legal_aid", purpose="legal_representation")
    s.request(
        "police", "first place", 0.02, basis="any shelter", target="shelter", service="shelter", urgency="emergency"
    )


def refuse_with_the_exchange_dead(s: Scenario) -> None:
    """Prizren's shelter is full and says so, while the exchange lies dead by SIGKILL: the answer is stored."""
    s.answer("shelter", "first place", 0.03, "opening")
    s.stage.kill("exchange")
    s.agency("shelter").say(f"{s.on('first place')}/rejection", {"code": "no_capacity.units_full"}, wait=False)


def redirect_after_the_restart(s: Scenario) -> None:
    """The exchange comes back, nothing is lost, and police's policy asks the next shelter of the class."""
    s.stage.restart("exchange")
    redirected = s.agency("police").sees(s.case, target="shelter_gjakova")
    s.referrals["place"] = redirected["id"]
    if s.agency("shelter").knows(s.on("place")):
        raise TrialError("the shelter that was full learned who was asked next")


def give_her_a_place(s: Scenario) -> None:
    """The second shelter accepts, holds the place until a time, extends that once, and she arrives."""
    s.answer("shelter_gjakova", "place", 0.05, "opening")
    s.answer("shelter_gjakova", "place", 0.06, "acceptance", place_held_until=s.later(hours=3))
    s.answer("shelter_gjakova", "place", 0.1, "hold-extension", place_held_until=s.later(hours=5))
    s.answer("shelter_gjakova", "place", 0.2, "start", kind="arrival")


def notify_social_work(s: Scenario) -> None:
    """Police notify the Center for Social Work on the statutory basis; it accepts and makes first contact."""
    basis = {
        "kind": "statutory_notification",
        "purpose": "case_management",
        "recipient": "social_work",
        "expires_at": s.later(days=90),
        "rule": "xk.sop.notify",
        "approver_role": "duty_officer",
        "approved_at": s.day(0.1).isoformat(),
        "survivor_informed": "yes",
    }
    recorded = s.agency("police").say(f"/cases/{s.case}/bases", basis, at=s.day(0.1))
    s.bases["notification"] = recorded["basis"]
    s.request(
        "police",
        "case management",
        0.1,
        basis="notification",
        target="social_work",
        service="case_management",
        urgency="high",
    )
    s.take_on("social_work", "case management", 0.6, "first_contact")


def ask_for_legal_aid(s: Scenario) -> None:
    """Legal aid, offered at the opening, is asked with her release and accepts; an income field is refused by name."""
    asked = {
        "basis": s.bases["legal aid"],
        "target": "legal_aid",
        "service": "legal_aid",
        "urgency": "normal",
        "household_income": 100,
    }
    refused = s.agency("police").attempt(f"/cases/{s.case}/referrals", asked)
    if refused.status_code != 422 or "household_income" not in refused.text:
        raise TrialError(f"a request with an income field was answered {refused.status_code}: {refused.text}")
    s.request("police", "lawyer", 1, basis="legal aid", target="legal_aid", service="legal_aid", urgency="normal")
    s.take_on("legal_aid", "lawyer", 2, "first_contact")


def keep_her_benefit(s: Scenario) -> None:
    """Once she has released it, the shelter asks for benefit continuity; the benefits office hears the CSW alone."""
    s.release("shelter_gjakova", "benefit", 3, recipient="social_work", purpose="benefit_continuity")
    asked = s.agency("social_work").sees(s.case, source="shelter_gjakova", service="benefit_continuity")
    s.referrals["benefit"] = asked["id"]
    s.release("social_work", "benefit office", 4, recipient="benefits_office", purpose="benefit_continuity")
    ours = s.agency("benefits_office").sees(s.case, source="social_work", service="benefit_continuity")
    s.referrals["benefit decision"] = ours["id"]
    s.take_on("benefits_office", "benefit decision", 6, "work_begun")
    s.answer("benefits_office", "benefit decision", 8, "completion", outcome="reinstated")
    answered = s.agency("shelter_gjakova").sees(s.case, service="benefit_continuity", state="completed")
    if answered.get("code") != "reinstated":
        raise TrialError(f"the shelter was answered {answered['code']}, not reinstated")


def make_a_plan(s: Scenario) -> None:
    """The shelter asks for a reintegration plan; the CSW refers to training and work and completes it as agreed."""
    # The deadline that step 11 waits for may as well pass meanwhile.
    ask_in_vain(s)
    refused = s.agency("shelter_gjakova").attempt(f"{s.on('place')}/completion", {"outcome": "discharge.planned"})
    if refused.status_code != 409 or "plan_missing" not in refused.text:
        raise TrialError(f"a planned discharge without a plan was answered {refused.status_code}: {refused.text}")
    s.release("shelter_gjakova", "plan", 30, recipient="social_work", purpose="case_management")
    s.request(
        "shelter_gjakova",
        "plan",
        30,
        basis="plan",
        target="social_work",
        service="reintegration_plan",
        urgency="normal",
    )
    s.take_on("social_work", "plan", 31, "work_begun")
    s.release("social_work", "training", 32, recipient="training_centre", purpose="training")
    s.release("social_work", "work", 32, recipient="employment_office", purpose="job_placement")
    training = s.agency("training_centre").sees(s.case, service="vocational_training")
    s.referrals["training"] = training["id"]
    s.take_on("training_centre", "training", 35, "work_begun")
    s.referrals["work"] = s.agency("employment_office").sees(s.case, service="employment")["id"]
    s.answer("social_work", "plan", 40, "completion", outcome="plan_agreed")


def withdraw_while_an_acceptance_travels(s: Scenario) -> None:
    """She withdraws her release for work at legal aid, orally, while the employment office's yes is on its way."""
    office = s.agency("employment_office")
    s.answer("employment_office", "work", 41, "opening")
    s.stage.pause_relay("employment_office")
    office.say(f"{s.on('work')}/acceptance", at=s.day(42), wait=False)
    withdrawal = {"scope": "purpose", "purpose": "job_placement"}
    s.agency("legal_aid").say(f"/cases/{s.case}/withdrawals", withdrawal, at=s.day(42))
    s.stage.resume_relay("employment_office")
    for side in ("employment_office", "social_work"):
        s.agency(side).hears("referral.accepted.v1", verdict="ineffective", reason="release_withdrawn")
        s.agency(side).sees(s.case, service="employment", state="revoked")
    going_on = {"training": "training_centre", "place": "shelter_gjakova", "lawyer": "legal_aid"}
    for name, member in going_on.items():
        if (state := s.state(member, name)) != "in-progress":
            raise TrialError(f"{name} should have gone on after the withdrawal, and is {state}")


def discharge_as_planned(s: Scenario) -> None:
    """A planned discharge, refused while there was no plan, succeeds; follow-ups at 30, 90 and 180 days stand."""
    s.agency("shelter_gjakova").sees(s.case, service="reintegration_plan", state="completed")
    s.release("shelter_gjakova", "follow-up", 59, recipient="social_work", purpose="follow_up_contact")
    s.answer("shelter_gjakova", "place", 60, "completion", outcome="discharge.planned")
    until("three dated follow-ups stand at the CSW", lambda: _dated_follow_ups(s))


def _dated_follow_ups(s: Scenario) -> bool | None:
    referrals: list[Any] = s.agency("social_work").look(f"/cases/{s.case}")["referrals"]
    dated = [r for r in referrals if r["service"] == "follow_up" and r.get("due_at") is not None]
    return len(dated) == 3 or None


def ask_in_vain(s: Scenario) -> None:
    """A request that nobody answers, under a deadline of three seconds."""
    coordination = s.agency("coordination")
    short = {"step": "answered", "urgencies": ["low"], "service": "psychosocial", "amount": 3, "source": "assumed"}
    kept: list[Json] = coordination.look("/directory")["deadlines"]
    coordination.say("/directory/deadlines", {"deadlines": [short, *kept]})
    s.release("police", "support", 29, recipient="shelter", purpose="case_management")
    s.request("police", "support", 29, basis="support", target="shelter", service="psychosocial", urgency="low")


def miss_a_deadline(s: Scenario) -> None:
    """A request of low urgency passes unanswered: one deadline missed, one escalation, and no case in it."""
    coordination = s.agency("coordination")
    missed = s.agency("police").hears("deadline.missed.v1", step="answered")
    escalated = coordination.hears("deadline.escalated.v2", member="shelter")
    if s.case in str(escalated) or s.referrals["support"] in str(escalated):
        raise TrialError("the escalation names the case")
    counts = len(s.agency("police").heard("deadline.missed.v1")), len(coordination.heard("deadline.escalated.v2"))
    if counts != (1, 1) or not missed["event"]["source"].endswith("/exchange"):
        raise TrialError(f"expected one missed deadline and one escalation by the exchange, found {counts}")


def read_for_an_audit(s: Scenario) -> None:
    """An auditor reads the case: that is said before a line of it is shown, and stands in the case's own replay."""
    audit, reads = s.agency("audit"), f"/cases/{s.case}/replay/reads"
    audit.read(f"/cases/{s.case}/timeline", "audit")
    said = audit.hears("case.read.v1", verdict="effective", purpose="audit")["event"]["data"].items()
    until("the read is replayed", lambda: any(said <= r.items() for r in audit.read(reads, "audit")["rows"]) or None)


STEPS: tuple[Step, ...] = (
    open_the_case,
    refuse_with_the_exchange_dead,
    redirect_after_the_restart,
    give_her_a_place,
    notify_social_work,
    ask_for_legal_aid,
    keep_her_benefit,
    make_a_plan,
    withdraw_while_an_acceptance_travels,
    discharge_as_planned,
    miss_a_deadline,
    read_for_an_audit,
)
