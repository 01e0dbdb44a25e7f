"""The figures of a quarter: pure functions over facts. ``definitions`` has each of them in words.

A figure counts the handoffs that were requested, the cases that were opened, or the escalations that were raised in
the quarter, with everything that the record knows of them at ``as_of``.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handoff.domain.handoff_clock import Segment, segments, was_never_there
from handoff.record.codes import (
    CaseService,
    DeadlineStep,
    FailureCode,
    OfferAnswer,
    RejectionCode,
    ServiceOutcome,
    State,
)
from handoff.views.figures.facts import EscalationFacts, Facts, HandoffFacts, OpeningFacts, Places
from handoff.views.figures.period import Quarter
from handoff.views.figures.tables import CountedRow, Group, Tables
from handoff.views.survival import Wait

_SECOND = timedelta(seconds=1)
_UNPLACED_AFTER = timedelta(hours=24)
_DISCHARGES = frozenset(
    {ServiceOutcome.DISCHARGE_PLANNED, ServiceOutcome.DISCHARGE_OWN_WISH, ServiceOutcome.DISCHARGE_MOVED_ON}
)
_PLANS = frozenset({ServiceOutcome.PLAN_AGREED, ServiceOutcome.PLAN_REFUSED})
_NO_CAPACITY = frozenset({RejectionCode.UNITS_FULL, RejectionCode.NO_STAFF, RejectionCode.CLOSED_UNFUNDED})
_REFUSAL_GROUPS: Mapping[str, frozenset[str]] = {
    "no_capacity": _NO_CAPACITY,
    "not_taken_up": frozenset({RejectionCode.SURVIVOR_DECLINED, FailureCode.NO_ARRIVAL}),
    "not_suitable": frozenset(
        {
            RejectionCode.CANNOT_MEET_NEED,
            RejectionCode.OUTSIDE_MANDATE,
            RejectionCode.WRONG_SERVICE,
            RejectionCode.CONFLICT_OF_INTEREST,
            RejectionCode.CANNOT_REACH_SAFELY,
        }
    ),
}
_FOLLOW_UPS_DONE = frozenset({ServiceOutcome.REACHED, ServiceOutcome.SERVICE_GIVEN})


@dataclass(frozen=True, slots=True)
class Cohort:
    """Handoffs, cases and escalations that a quarter's figures count, as the record had them at ``as_of``."""

    quarter: Quarter
    as_of: datetime
    handoffs: tuple[HandoffFacts, ...]
    openings: tuple[OpeningFacts, ...]
    escalations: tuple[EscalationFacts, ...]
    stays: tuple[HandoffFacts, ...]
    """Every shelter handoff, of earlier quarters too: a night counts where it is spent."""
    places: Mapping[str, Places]

    @classmethod
    def of(cls, facts: Facts, quarter: Quarter, as_of: datetime) -> "Cohort":
        """Select what ``quarter`` counts."""
        known = facts.as_of(as_of)
        there = tuple(each for each in known.handoffs if not was_never_there(each))
        return cls(
            quarter,
            as_of,
            tuple(each for each in there if each.requested_at in quarter),
            tuple(each for each in known.openings if each.opened_at in quarter),
            tuple(each for each in known.escalations if each.raised_at in quarter),
            tuple(each for each in there if each.service is CaseService.SHELTER),
            known.places,
        )


def quarter_tables(cohort: Cohort) -> Tables:
    """Return the rows of every figure, by its code."""
    return {code: tuple(rows(cohort)) for code, rows in FIGURES.items()}


def silent_members(cohort: Cohort, members: Iterable[str]) -> tuple[str, ...]:
    """Return the members of which the quarter has nothing: no handoff asked for, delivered or answered."""
    active = {each.source for each in cohort.handoffs}
    active |= {each.target for each in cohort.handoffs if each.delivered_at or each.answered_at}
    return tuple(member for member in members if member not in active)


# Waits


def _until_answered(cohort: Cohort) -> Iterator[CountedRow]:
    return _waits(cohort.handoffs, _service_and_urgency, lambda each: _answer_wait(each, cohort))


def _between_institutions(cohort: Cohort) -> Iterator[CountedRow]:
    return _waits(
        cohort.handoffs,
        lambda each: (("source", each.source), ("target", each.target)),
        lambda each: _answer_wait(each, cohort),
    )


def _segments(cohort: Cohort) -> Iterator[CountedRow]:
    for segment in Segment:
        spans = {
            each.reference: span
            for each in cohort.handoffs
            for span in segments(each, cohort.as_of)
            if span.segment is segment
        }
        begun = [each for each in cohort.handoffs if each.reference in spans]
        yield from _waits(
            begun,
            lambda each: (("service", each.service.value), ("segment", segment.value)),  # noqa: B023 - used in this turn
            lambda each: Wait(spans[each.reference].lasted / _SECOND, spans[each.reference].ended),  # noqa: B023
        )


def _until_yes(cohort: Cohort) -> Iterator[CountedRow]:
    return _chain_waits(cohort, lambda _: True, lambda each: each.accepted_at)


def _until_safe(cohort: Cohort) -> Iterator[CountedRow]:
    return _chain_waits(cohort, _is_shelter, lambda each: each.started_at)


def _chain_waits(
    cohort: Cohort,
    is_counted: Callable[[HandoffFacts], bool],
    reached: Callable[[HandoffFacts], datetime | None],
) -> Iterator[CountedRow]:
    """Yield waits over whole chains of redirects, from the first request."""
    waits: dict[Group, dict[Hashable, Wait]] = defaultdict(dict)
    for chain, links in _chains(filter(is_counted, cohort.handoffs)).items():
        begun = min(each.requested_at for each in links)
        at = min((moment for each in links if (moment := reached(each)) is not None), default=None)
        closings = [each.closed_at for each in links]
        # The chain has ended without it once its last link is closed.
        cut_off = max(filter(None, closings)) if None not in closings else cohort.as_of
        waits[("service", links[0].service.value),][chain] = Wait(((at or cut_off) - begun) / _SECOND, at is not None)
    yield from (CountedRow.of_waits(group, found) for group, found in sorted(waits.items()))


def _waits(
    handoffs: Iterable[HandoffFacts],
    group_of: Callable[[HandoffFacts], Group],
    wait_of: Callable[[HandoffFacts], Wait],
) -> Iterator[CountedRow]:
    groups: dict[Group, dict[Hashable, Wait]] = defaultdict(dict)
    for each in handoffs:
        groups[group_of(each)][each.reference] = wait_of(each)
    yield from (CountedRow.of_waits(group, waits) for group, waits in sorted(groups.items()))


def _answer_wait(each: HandoffFacts, cohort: Cohort) -> Wait:
    until = each.answered_at or each.closed_at or cohort.as_of
    return Wait((until - each.requested_at) / _SECOND, each.answered_at is not None)


# Shares


def _answered_in_time(cohort: Cohort) -> Iterator[CountedRow]:
    """Yield those that were answered, or whose answer was missed: the rest is not due yet."""
    due = [each for each in cohort.handoffs if each.answered_at is not None or DeadlineStep.ANSWERED in each.late]
    return _shares(due, _service_and_urgency, lambda each: DeadlineStep.ANSWERED not in each.late)


def _refused(cohort: Cohort) -> Iterator[CountedRow]:
    for group in (*_REFUSAL_GROUPS, "other"):
        yield from _shares(
            cohort.handoffs,
            lambda each: (("service", each.service.value), ("reason", group)),  # noqa: B023 - used in this turn
            lambda each: refusal_group(each) == group,  # noqa: B023
        )


def refusal_group(each: HandoffFacts) -> str | None:
    """Return the group of the reason for which no service began, or None if it was not refused.

    One that the survivor left before an answer was *not taken up*.
    """
    if each.ending is None:
        return None
    is_refusal = each.is_refused or each.ending.code == FailureCode.NO_ARRIVAL
    left_early = each.answered_at is None and each.ending.code == FailureCode.SURVIVOR_ENDED
    if left_early:
        return "not_taken_up"
    if not is_refusal:
        return None
    return next((name for name, codes in _REFUSAL_GROUPS.items() if each.ending.code in codes), "other")


def _first_contact(cohort: Cohort) -> Iterator[CountedRow]:
    accepted = [
        each
        for each in cohort.handoffs
        if each.service is CaseService.CASE_MANAGEMENT
        and each.accepted_at is not None
        and (each.started_at is not None or DeadlineStep.FIRST_CONTACT in each.late)
    ]
    return _shares(accepted, _urgency, lambda each: DeadlineStep.FIRST_CONTACT not in each.late)


def _benefit_decided(cohort: Cohort) -> Iterator[CountedRow]:
    asked = [each for each in cohort.handoffs if each.service is CaseService.BENEFIT_CONTINUITY]
    decided = [each for each in asked if _is_completed(each) or DeadlineStep.BENEFIT_DECIDED in each.late]
    return _shares(decided, lambda _: (), lambda each: DeadlineStep.BENEFIT_DECIDED not in each.late)


def _turned_away(cohort: Cohort) -> Iterator[CountedRow]:
    chains = _chains(filter(_is_shelter, cohort.handoffs))
    turned = {chain for chain, links in chains.items() if any(refusal_group(each) == "no_capacity" for each in links)}
    yield CountedRow((), frozenset(chains), frozenset(turned))


def _unplaced(cohort: Cohort) -> Iterator[CountedRow]:
    chains = {
        chain: links
        for chain, links in _chains(filter(_is_shelter, cohort.handoffs)).items()
        if min(each.requested_at for each in links) + _UNPLACED_AFTER <= cohort.as_of
    }
    placed = {
        chain
        for chain, links in chains.items()
        if any(
            each.started_at is not None
            and each.started_at <= min(link.requested_at for link in links) + _UNPLACED_AFTER
            for each in links
        )
    }
    yield CountedRow((), frozenset(chains), frozenset(chains.keys() - placed))


def _legal_aid_offered(cohort: Cohort) -> Iterator[CountedRow]:
    offered = frozenset(each.reference for each in cohort.openings if CaseService.LEGAL_AID in each.offers)
    taken = frozenset(
        each.reference for each in cohort.openings if each.offers.get(CaseService.LEGAL_AID) is OfferAnswer.ACCEPTED
    )
    yield CountedRow((("step", "offered"),), frozenset(each.reference for each in cohort.openings), offered)
    yield CountedRow((("step", "wanted"),), offered, taken)


def _legal_aid_accepted(cohort: Cohort) -> Iterator[CountedRow]:
    asked = [each for each in cohort.handoffs if each.service is CaseService.LEGAL_AID]
    return _shares(asked, lambda _: (), lambda each: each.accepted_at is not None)


def _reporting_delay(cohort: Cohort) -> Iterator[CountedRow]:
    of_entry: dict[str, list[OpeningFacts]] = defaultdict(list)
    for each in cohort.openings:
        of_entry[each.entry_point.value].append(each)
    for entry, openings in sorted(of_entry.items()):
        everybody = frozenset(each.reference for each in openings)
        for delay in sorted({each.reporting_delay.value for each in openings}):
            found = frozenset(each.reference for each in openings if each.reporting_delay.value == delay)
            yield CountedRow((("entry_point", entry), ("delay", delay)), everybody, found)


def _reintegration(cohort: Cohort) -> Iterator[CountedRow]:
    """Yield discharges with plans or recorded refusals in the same quarter, and what follows from plans."""
    done = [(each, each.ending.code) for each in cohort.handoffs if _is_completed(each) and each.ending is not None]
    planned = [each for each, code in done if each.service is CaseService.REINTEGRATION_PLAN and code in _PLANS]
    yield from _shares(
        [each for each, code in done if each.service is CaseService.SHELTER and code in _DISCHARGES],
        lambda _: (("step", "planned_discharges"),),
        lambda each: each.ending is not None and each.ending.code == ServiceOutcome.DISCHARGE_PLANNED,
    )
    yield from _shares(
        planned,
        lambda _: (("step", "plans_agreed"),),
        lambda each: each.ending is not None and each.ending.code == ServiceOutcome.PLAN_AGREED,
    )
    for service in (CaseService.VOCATIONAL_TRAINING, CaseService.EMPLOYMENT):
        yield from _shares(
            [each for each in cohort.handoffs if each.service is service],
            lambda _: (("step", f"{service.value}_accepted"),),  # noqa: B023 - used in this turn
            lambda each: each.accepted_at is not None,
        )


def _follow_ups(cohort: Cohort) -> Iterator[CountedRow]:
    due = [
        each
        for each in cohort.handoffs
        if each.service is CaseService.FOLLOW_UP and each.due_at is not None and each.due_at <= cohort.as_of
    ]
    return _shares(
        due,
        lambda _: (),
        lambda each: _is_completed(each) and each.ending is not None and each.ending.code in _FOLLOW_UPS_DONE,
    )


def _escalations_acknowledged(cohort: Cohort) -> Iterator[CountedRow]:
    due = [each for each in cohort.escalations if each.acknowledged_at is not None or each.is_late]
    in_time = frozenset(each.reference for each in due if not each.is_late)
    if due:
        yield CountedRow((), frozenset(each.reference for each in due), in_time)


def _shares(
    handoffs: Iterable[HandoffFacts],
    group_of: Callable[[HandoffFacts], Group],
    is_within: Callable[[HandoffFacts], bool],
) -> Iterator[CountedRow]:
    groups: dict[Group, list[HandoffFacts]] = defaultdict(list)
    for each in handoffs:
        groups[group_of(each)].append(each)
    for group, found in sorted(groups.items()):
        within = frozenset(each.reference for each in found if is_within(each))
        yield CountedRow(group, frozenset(each.reference for each in found), within)


# Selections


def _service_and_urgency(each: HandoffFacts) -> Group:
    return (("service", each.service.value), ("urgency", each.urgency.value))


def _urgency(each: HandoffFacts) -> Group:
    return (("urgency", each.urgency.value),)


def _is_shelter(each: HandoffFacts) -> bool:
    return each.service is CaseService.SHELTER


def _is_completed(each: HandoffFacts) -> bool:
    return each.ending is not None and each.ending.state is State.COMPLETED


def _chains(handoffs: Iterable[HandoffFacts]) -> dict[Hashable, Sequence[HandoffFacts]]:
    chains: dict[Hashable, list[HandoffFacts]] = defaultdict(list)
    for each in handoffs:
        chains[each.chain].append(each)
    return dict(chains)


FIGURES: Mapping[str, Callable[[Cohort], Iterable[CountedRow]]] = {
    "until_answered": _until_answered,
    "segments": _segments,
    "until_yes": _until_yes,
    "between_institutions": _between_institutions,
    "answered_in_time": _answered_in_time,
    "refused": _refused,
    "until_safe": _until_safe,
    "turned_away": _turned_away,
    "unplaced": _unplaced,
    "first_contact": _first_contact,
    "benefit_decided": _benefit_decided,
    "legal_aid_offered": _legal_aid_offered,
    "legal_aid_accepted": _legal_aid_accepted,
    "reporting_delay": _reporting_delay,
    "reintegration": _reintegration,
    "follow_ups": _follow_ups,
    "escalations_acknowledged": _escalations_acknowledged,
}
"""Code of each figure and the function of its rows."""


# Nights


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Nights of one shelter in a quarter, counted at 06:00: ``nights`` spent by ``persons``, and those that passed."""

    member: str
    nights: int
    persons: frozenset[Hashable]
    passed: int
    places: Places | None


def occupancy(cohort: Cohort) -> tuple[Occupancy, ...]:
    """Return the occupancy of each shelter of the plan, and of each with an arrival."""
    nights = cohort.quarter.nights(cohort.as_of)
    stays: dict[str, list[HandoffFacts]] = {member: [] for member in cohort.places}
    for each in cohort.stays:
        if each.started_at is not None:
            stays.setdefault(each.target, []).append(each)
    return tuple(
        Occupancy(
            member,
            sum(_sleeps(each, night) for each in found for night in nights),
            frozenset(each.reference for each in found if any(_sleeps(each, night) for night in nights)),
            len(nights),
            cohort.places.get(member),
        )
        for member, found in sorted(stays.items())
    )


def _sleeps(each: HandoffFacts, night: datetime) -> bool:
    return (
        each.started_at is not None and each.started_at <= night and (each.closed_at is None or each.closed_at > night)
    )
