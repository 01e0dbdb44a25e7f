"""Scenario of the demo: one survivor's case in eight institutions, through their public HTTP APIs.

The claimed times span months. They only appear on the timeline: by record time the scenario takes seconds. The
docstring of each step is the line that the demo prints.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from handoff.trial.demo.agency import Agency, Json, wait_until
from handoff.trial.errors import TrialError

Report = Callable[[str], None]
Step = Callable[["Scenario"], None]


class FaultInjection(Protocol):
    """Faults that the scenario injects, as an operator could cause them."""

    def kill(self, process: str) -> None:
        """Kill a process with SIGKILL."""

    def restart(self, process: str) -> None:
        """Start a process again and wait until it is ready."""

    def pause_relay(self, member: str) -> None:
        """Pause a node's relay."""

    def resume_relay(self, member: str) -> None:
        """Resume a node's relay."""


@dataclass(frozen=True, slots=True)
class LateStep:
    """Late step of the scenario: who owed it, the seconds of each segment until the answer, the cause, and the end."""

    member: str
    step: str
    seconds: Mapping[str, float]
    cause: str
    escalation_ended: str
    clock: int

    def sentence(self) -> str:
        """Return the line that the demo prints."""
        waits = ", ".join(f"{segment} {seconds:.1f} s" for segment, seconds in self.seconds.items())
        return (
            f"late: {self.member}, step {self.step}; {waits}; cause: {self.cause}. One escalation, "
            f"ended: {self.escalation_ended}. Rules of the clock, version {self.clock}."
        )


@dataclass
class Scenario:
    """State of the scenario: ids of the case, its bases and its referrals by a name.

    ``now`` is the time of this machine; ``report`` prints the line of a step. ``late_step`` is the missed deadline.
    """

    agencies: Mapping[str, Agency]
    faults: FaultInjection
    report: Report
    now: datetime
    case: str = ""
    bases: dict[str, str] = field(default_factory=dict)
    referrals: dict[str, str] = field(default_factory=dict)
    late_step: LateStep | None = None

    def play(self) -> None:
        """Play every step in order. Raises TrialError at the first unexpected result."""
        for number, step in enumerate(STEPS, start=1):
            self.report(f"{number:>2} {step.__doc__}")
            step(self)

    def agency(self, name: str) -> Agency:
        """Client of one agency."""
        return self.agencies[name]

    def claimed_time(self, days: float) -> datetime:
        """Claimed time, in days after the case began half a year ago."""
        return self.now - timedelta(days=190) + timedelta(days=days)

    def later(self, **span: float) -> str:
        """Time in the future, in ISO 8601."""
        return (self.now + timedelta(**span)).isoformat()

    def record_release(self, owner: str, name: str, day: float, **terms: str) -> None:
        """Record a release for a year as ``owner``, and store its id as ``name``."""
        body = {"kind": "release.oral_witnessed", "expires_at": self.later(days=365), **terms}
        recorded = self.agency(owner).command(f"/cases/{self.case}/bases", body, at=self.claimed_time(day))
        self.bases[name] = recorded["basis"]

    def request_referral(self, source: str, name: str, day: float, **terms: str) -> None:
        """Request a referral and store its id as ``name``; the term ``basis`` is the name of a basis."""
        body = {**terms, "basis": self.bases[terms["basis"]]}
        requested = self.agency(source).command(f"/cases/{self.case}/referrals", body, at=self.claimed_time(day))
        self.referrals[name] = requested["referral"]

    def referral_path(self, name: str) -> str:
        """Path of a referral."""
        return f"/cases/{self.case}/referrals/{self.referrals[name]}"

    def respond(self, member: str, name: str, day: float, resource: str, **terms: str) -> None:
        """Send a command on a referral, once the member has it."""
        wait_until(f"the request at {member}", lambda: self.agency(member).exists(self.referral_path(name)) or None)
        self.agency(member).command(f"{self.referral_path(name)}/{resource}", terms, at=self.claimed_time(day))

    def accept_and_start(self, member: str, name: str, day: float, start: str) -> None:
        """Open a request, accept it and start the service."""
        self.respond(member, name, day, "opening")
        self.respond(member, name, day + 0.01, "acceptance")
        self.respond(member, name, day + 0.02, "start", kind=start)

    def referral_state(self, member: str, name: str) -> str:
        """State of a referral at ``member``'s node."""
        return str(self.agency(member).get(self.referral_path(name))["state"])


def open_case(s: Scenario) -> None:
    """Police open a case at night, record her oral releases and ask for a place in a shelter, as an emergency."""
    opening = {
        "entry_point": "police_call",
        "reporting_delay": "over_1y",
        "offered": [
            {"service": "shelter", "answer": "accepted"},
            {"service": "legal_aid", "answer": "accepted"},
        ],
    }
    s.case = s.agency("police").command("/cases", opening, at=s.claimed_time(0))["case"]
    s.record_release("police", "any shelter", 0.01, recipient_class="licensed_shelter", purpose="arrange_shelter")
    s.record_release("police", "legal aid", 0.01, recipient="legal_aid", purpose="legal_representation")
    s.request_referral(
        "police", "first place", 0.02, basis="any shelter", target="shelter", service="shelter", urgency="emergency"
    )


def refuse_while_exchange_is_down(s: Scenario) -> None:
    """Prizren's shelter is full and refuses while the exchange is down (SIGKILL): its node stores the refusal."""
    s.respond("shelter", "first place", 0.03, "opening")
    s.faults.kill("exchange")
    s.agency("shelter").command(
        f"{s.referral_path('first place')}/rejection", {"code": "no_capacity.units_full"}, wait=False
    )


def redirect_after_restart(s: Scenario) -> None:
    """The exchange restarts, nothing is lost, and the policy of the police requests the next shelter of the class."""
    s.faults.restart("exchange")
    redirected = s.agency("police").wait_for_referral(s.case, target="shelter_gjakova")
    s.referrals["place"] = redirected["id"]
    if s.agency("shelter").exists(s.referral_path("place")):
        raise TrialError("the shelter that was full has the referral to the next shelter")


def provide_place(s: Scenario) -> None:
    """The second shelter accepts, holds the place until a time, extends the hold once, and she arrives."""
    s.respond("shelter_gjakova", "place", 0.05, "opening")
    s.respond("shelter_gjakova", "place", 0.06, "acceptance", place_held_until=s.later(hours=3))
    s.respond("shelter_gjakova", "place", 0.1, "hold-extension", place_held_until=s.later(hours=5))
    s.respond("shelter_gjakova", "place", 0.2, "start", kind="arrival")


def notify_social_work(s: Scenario) -> None:
    """Police notify the Center for Social Work on the statutory basis; it accepts and makes first contact."""
    basis = {
        "kind": "statutory_notification",
        "purpose": "case_management",
        "recipient": "social_work",
        "expires_at": s.later(days=90),
        "rule": "xk.sop.notify",
        "approver_role": "duty_officer",
        "approved_at": s.claimed_time(0.1).isoformat(),
        "survivor_informed": "yes",
    }
    recorded = s.agency("police").command(f"/cases/{s.case}/bases", basis, at=s.claimed_time(0.1))
    s.bases["notification"] = recorded["basis"]
    s.request_referral(
        "police",
        "case management",
        0.1,
        basis="notification",
        target="social_work",
        service="case_management",
        urgency="high",
    )
    s.accept_and_start("social_work", "case management", 0.6, "first_contact")


def request_legal_aid(s: Scenario) -> None:
    """Legal aid is requested with her release and accepts; a request with an income field is refused."""
    with_income = {
        "basis": s.bases["legal aid"],
        "target": "legal_aid",
        "service": "legal_aid",
        "urgency": "normal",
        "household_income": 100,
    }
    refused = s.agency("police").try_command(f"/cases/{s.case}/referrals", with_income)
    if refused.status_code != 422 or "household_income" not in refused.text:
        raise TrialError(f"a request with an income field returned {refused.status_code}: {refused.text}")
    s.request_referral(
        "police", "lawyer", 1, basis="legal aid", target="legal_aid", service="legal_aid", urgency="normal"
    )
    s.accept_and_start("legal_aid", "lawyer", 2, "first_contact")


def request_benefit_continuity(s: Scenario) -> None:
    """With her release, the shelter requests benefit continuity; the benefits office receives only the CSW's."""
    s.record_release("shelter_gjakova", "benefit", 3, recipient="social_work", purpose="benefit_continuity")
    requested = s.agency("social_work").wait_for_referral(
        s.case, source="shelter_gjakova", service="benefit_continuity"
    )
    s.referrals["benefit"] = requested["id"]
    s.record_release("social_work", "benefit office", 4, recipient="benefits_office", purpose="benefit_continuity")
    own = s.agency("benefits_office").wait_for_referral(s.case, source="social_work", service="benefit_continuity")
    s.referrals["benefit decision"] = own["id"]
    s.accept_and_start("benefits_office", "benefit decision", 6, "work_begun")
    s.respond("benefits_office", "benefit decision", 8, "completion", outcome="reinstated")
    decided = s.agency("shelter_gjakova").wait_for_referral(s.case, service="benefit_continuity", state="completed")
    if decided.get("code") != "reinstated":
        raise TrialError(f"the shelter received {decided['code']}, not reinstated")


def agree_plan(s: Scenario) -> None:
    """The shelter requests a reintegration plan; the CSW refers to training and work, and the plan is agreed."""
    # Start the request of step 11 now, so that its deadline passes during the next steps.
    start_unanswered_request(s)
    refused = s.agency("shelter_gjakova").try_command(
        f"{s.referral_path('place')}/completion", {"outcome": "discharge.planned"}
    )
    if refused.status_code != 409 or "plan_missing" not in refused.text:
        raise TrialError(f"a planned discharge without a plan returned {refused.status_code}: {refused.text}")
    s.record_release("shelter_gjakova", "plan", 30, recipient="social_work", purpose="case_management")
    s.request_referral(
        "shelter_gjakova",
        "plan",
        30,
        basis="plan",
        target="social_work",
        service="reintegration_plan",
        urgency="normal",
    )
    s.accept_and_start("social_work", "plan", 31, "work_begun")
    s.record_release("social_work", "training", 32, recipient="training_centre", purpose="training")
    s.record_release("social_work", "work", 32, recipient="employment_office", purpose="job_placement")
    training = s.agency("training_centre").wait_for_referral(s.case, service="vocational_training")
    s.referrals["training"] = training["id"]
    s.accept_and_start("training_centre", "training", 35, "work_begun")
    s.referrals["work"] = s.agency("employment_office").wait_for_referral(s.case, service="employment")["id"]
    s.respond("social_work", "plan", 40, "completion", outcome="plan_agreed")


def withdraw_during_acceptance(s: Scenario) -> None:
    """She withdraws her release for work at legal aid, before the employment office's acceptance is published."""
    office = s.agency("employment_office")
    s.respond("employment_office", "work", 41, "opening")
    s.faults.pause_relay("employment_office")
    office.command(f"{s.referral_path('work')}/acceptance", at=s.claimed_time(42), wait=False)
    withdrawal = {"scope": "purpose", "purpose": "job_placement"}
    s.agency("legal_aid").command(f"/cases/{s.case}/withdrawals", withdrawal, at=s.claimed_time(42))
    s.faults.resume_relay("employment_office")
    for side in ("employment_office", "social_work"):
        s.agency(side).wait_for_event("referral.accepted.v1", verdict="ineffective", reason="release_withdrawn")
        s.agency(side).wait_for_referral(s.case, service="employment", state="revoked")
    unaffected = {"training": "training_centre", "place": "shelter_gjakova", "lawyer": "legal_aid"}
    for name, member in unaffected.items():
        if (state := s.referral_state(member, name)) != "in-progress":
            raise TrialError(f"the withdrawal must not affect {name}, which is {state}")


def discharge_as_planned(s: Scenario) -> None:
    """The planned discharge, refused without a plan, now succeeds; follow-ups at 30, 90 and 180 days are scheduled."""
    s.agency("shelter_gjakova").wait_for_referral(s.case, service="reintegration_plan", state="completed")
    s.record_release("shelter_gjakova", "follow-up", 59, recipient="social_work", purpose="follow_up_contact")
    s.respond("shelter_gjakova", "place", 60, "completion", outcome="discharge.planned")
    wait_until("three dated follow-ups at the CSW", lambda: _dated_follow_ups(s))


def _dated_follow_ups(s: Scenario) -> bool | None:
    referrals: list[Any] = s.agency("social_work").get(f"/cases/{s.case}")["referrals"]
    dated = [r for r in referrals if r["service"] == "follow_up" and r.get("due_at") is not None]
    return len(dated) == 3 or None


def start_unanswered_request(s: Scenario) -> None:
    """Request a referral that no person at the CSW opens, under a deadline of three seconds for the answer."""
    coordination = s.agency("coordination")
    short = {"step": "answered", "urgencies": ["low"], "service": "psychosocial", "amount": 3, "source": "assumed"}
    existing: list[Json] = coordination.get("/directory")["deadlines"]
    coordination.command("/directory/deadlines", {"deadlines": [short, *existing]})
    s.record_release("police", "support", 29, recipient="social_work", purpose="case_management")
    s.request_referral(
        "police", "support", 29, basis="support", target="social_work", service="psychosocial", urgency="low"
    )


def miss_deadline(s: Scenario) -> None:
    """The CSW does not open a request in time: one missed deadline, one escalation, which its late answer ends."""
    coordination, police = s.agency("coordination"), s.agency("police")
    missed = police.wait_for_event("deadline.missed.v1", step="answered")
    escalated = coordination.wait_for_event("deadline.escalated.v2", member="social_work")
    if s.case in str(escalated) or s.referrals["support"] in str(escalated):
        raise TrialError("the escalation names the case")
    [waiting] = coordination.get("/escalations")["escalations"]
    s.respond("social_work", "support", 75, "opening")
    s.respond("social_work", "support", 75, "acceptance")
    ended = coordination.wait_for_event("escalation.ended.v1", reference=waiting["reference"])
    counts = len(police.events("deadline.missed.v1")), len(coordination.events("deadline.escalated.v2"))
    if counts != (1, 1) or not missed["event"]["source"].endswith("/exchange"):
        raise TrialError(f"expected one missed deadline and one escalation by the exchange, got {counts}")
    if coordination.get("/escalations")["escalations"]:
        raise TrialError("the escalation is open after the late answer")
    s.late_step = _late_step(s, waiting, ended["event"]["data"]["reason"])
    s.report("   " + s.late_step.sentence())


def _late_step(s: Scenario, escalation: Json, end: str) -> LateStep:
    """Return the late step with its cause: the longest segment of the wait for the answer."""
    answered = wait_until(
        "the late answer at the police",
        lambda: found if (found := s.agency("police").get(s.referral_path("support")))["state"] == "accepted" else None,
    )
    waits = {span["segment"]: span["seconds"] for span in answered["clock"]["segments"]}
    until_answer = {segment: waits[segment] for segment in ("transport", "unseen", "deciding")}
    cause = max(until_answer, key=lambda segment: until_answer[segment])
    if cause != "unseen":
        raise TrialError(f"expected a request that was unseen for too long, got {until_answer}")
    return LateStep(escalation["member"], escalation["step"], until_answer, cause, end, answered["clock"]["version"])


def read_for_audit(s: Scenario) -> None:
    """An auditor reads the case: the read is recorded before the first line is shown, and the case's replay has it."""
    audit, reads = s.agency("audit"), f"/cases/{s.case}/replay/reads"
    audit.audit_read(f"/cases/{s.case}/timeline", "audit")
    recorded = audit.wait_for_event("case.read.v1", verdict="effective", purpose="audit")["event"]["data"].items()
    wait_until(
        "the read in the replay",
        lambda: any(recorded <= r.items() for r in audit.audit_read(reads, "audit")["rows"]) or None,
    )


STEPS: tuple[Step, ...] = (
    open_case,
    refuse_while_exchange_is_down,
    redirect_after_restart,
    provide_place,
    notify_social_work,
    request_legal_aid,
    request_benefit_continuity,
    agree_plan,
    withdraw_during_acceptance,
    discharge_as_planned,
    miss_deadline,
    read_for_audit,
)
