"""Facts of a jurisdiction made at random, with every kind of end, chains of redirects, pauses and late steps."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from handoff.domain.case import Ending, HoldPeriod
from handoff.record.codes import (
    CaseService,
    DeadlineStep,
    EntryPoint,
    FailureCode,
    HoldCode,
    OfferAnswer,
    RejectionCode,
    ReportingDelay,
    ServiceOutcome,
    State,
    Urgency,
)
from handoff.views.figures.facts import EscalationFacts, Facts, HandoffFacts, OpeningFacts, Places

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 150
MEMBERS = ("police", "social_work", "legal_aid", "shelter", "shelter_gjakova", "training_centre")
SERVICES = (
    CaseService.SHELTER, CaseService.CASE_MANAGEMENT, CaseService.LEGAL_AID, CaseService.BENEFIT_CONTINUITY,
    CaseService.FOLLOW_UP, CaseService.REINTEGRATION_PLAN, CaseService.VOCATIONAL_TRAINING,
)  # fmt: skip
_OUTCOMES = {
    CaseService.SHELTER: (
        ServiceOutcome.DISCHARGE_PLANNED, ServiceOutcome.DISCHARGE_OWN_WISH, ServiceOutcome.DISCHARGE_MOVED_ON,
    ),
    CaseService.REINTEGRATION_PLAN: (ServiceOutcome.PLAN_AGREED, ServiceOutcome.PLAN_REFUSED),
    CaseService.FOLLOW_UP: (ServiceOutcome.REACHED, ServiceOutcome.UNSAFE_TO_CONTACT),
}  # fmt: skip


def generated_facts(seed: int, handoffs: int) -> Facts:
    random = Random(seed)
    made: list[HandoffFacts] = []
    while len(made) < handoffs:
        made += _chain(random, len(made))
    openings = [_opening(random, number) for number in range(handoffs // 2)]
    escalations = [_escalation(random, number) for number in range(handoffs // 5)]
    places = {"shelter": Places(12, 10), "shelter_gjakova": Places(8, 0)}
    return Facts(made, openings, escalations, MEMBERS, places)


def _moment(random: Random) -> datetime:
    return BEGIN + timedelta(seconds=random.randrange(DAYS * 86_400))


def _later(random: Random, moment: datetime) -> datetime:
    return moment + timedelta(seconds=random.choice([0, 60, 3_600, 40_000, 400_000, 4_000_000]) * random.randint(1, 3))


def _chain(random: Random, first: int) -> list[HandoffFacts]:
    """A request and its redirects; each next one begins when the one before it was refused."""
    service, urgency, at = random.choice(SERVICES), random.choice(list(Urgency)), _moment(random)
    links: list[HandoffFacts] = []
    while True:
        link = _handoff(random, first + len(links), chain=first, service=service, urgency=urgency, requested_at=at)
        links.append(link)
        if not link.is_refused or link.closed_at is None or len(links) == 3 or random.random() < 0.4:
            return links
        at = _later(random, link.closed_at)


def _handoff(
    random: Random, reference: int, *, chain: int, service: CaseService, urgency: Urgency, requested_at: datetime
) -> HandoffFacts:
    source, target = random.sample(MEMBERS[:-1], 2)
    moments: dict[str, Any] = {}
    at, stages = requested_at, random.randint(0, 4)
    for name in ("delivered_at", "opened_at", "answered_at", "started_at")[:stages]:
        at = _later(random, at)
        if name != "opened_at" or random.random() < 0.8:
            moments[name] = at
    ending, state = _ending(random, service, moments), State.REQUESTED
    if ending is not None:
        moments["closed_at"] = at if ending.state is State.REJECTED else _later(random, at)
        state = ending.state
        if ending.state is State.REJECTED:
            moments.setdefault("answered_at", at)
    late = {step: _later(random, requested_at) for step in _late_steps(service) if random.random() < 0.3}
    return HandoffFacts(
        reference=reference, chain=chain, source=source, target=target, service=service, urgency=urgency, state=state,
        requested_at=requested_at, ending=ending, late=late, pauses=tuple(_pauses(random, moments)),
        due_at=_later(random, requested_at) if service is CaseService.FOLLOW_UP else None, **moments,
    )  # fmt: skip


def _ending(random: Random, service: CaseService, moments: dict[str, datetime]) -> Ending | None:
    if random.random() < 0.3:
        return None
    if "started_at" in moments:
        outcome = random.choice(_OUTCOMES.get(service, (ServiceOutcome.SERVICE_GIVEN,)))
        return random.choice([Ending(State.COMPLETED, outcome), Ending(State.FAILED, FailureCode.LEFT_SERVICE)])
    if "answered_at" in moments:
        return random.choice(
            [Ending(State.REJECTED, random.choice(list(RejectionCode))), Ending(State.FAILED, FailureCode.NO_ARRIVAL)]
        )
    return random.choice(
        [
            Ending(State.CANCELLED, None), Ending(State.REVOKED, None), Ending(State.ENTERED_IN_ERROR, None),
            Ending(State.FAILED, FailureCode.SURVIVOR_ENDED),
        ]
    )  # fmt: skip


def _late_steps(service: CaseService) -> list[DeadlineStep]:
    own = {
        CaseService.CASE_MANAGEMENT: DeadlineStep.FIRST_CONTACT,
        CaseService.BENEFIT_CONTINUITY: DeadlineStep.BENEFIT_DECIDED,
    }
    return [DeadlineStep.ANSWERED, *([own[service]] if service in own else [])]


def _pauses(random: Random, moments: dict[str, datetime]) -> list[HoldPeriod]:
    if "started_at" not in moments or random.random() < 0.6:
        return []
    since = _later(random, moments["started_at"])
    end = moments.get("closed_at")
    if end is not None and since >= end:
        return []
    return [HoldPeriod(random.choice(list(HoldCode)), since, random.choice([end, since + timedelta(minutes=5)]))]


def _opening(random: Random, number: int) -> OpeningFacts:
    offers = {service: random.choice(list(OfferAnswer)) for service in SERVICES if random.random() < 0.4}
    entry, delay = random.choice(list(EntryPoint)), random.choice(list(ReportingDelay))
    return OpeningFacts(f"case {number}", _moment(random), entry, delay, offers)


def _escalation(random: Random, number: int) -> EscalationFacts:
    raised = _moment(random)
    acknowledged = random.choice([None, _later(random, raised)])
    return EscalationFacts(f"escalation {number}", random.choice(MEMBERS), raised, acknowledged, random.random() < 0.3)
