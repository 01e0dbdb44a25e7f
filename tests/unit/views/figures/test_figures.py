"""Figures of a quarter, recomputed from generated facts by a slow implementation of its own."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lifelines import KaplanMeierFitter

from handoff.domain.case import Ending
from handoff.domain.handoff_clock import Segment, segments
from handoff.record.codes import CaseService, FailureCode, RejectionCode, ServiceOutcome, State, Urgency
from handoff.views.figures.definitions import DEFINITIONS
from handoff.views.figures.facts import Facts, HandoffFacts
from handoff.views.figures.figures import FIGURES, Cohort, occupancy, quarter_tables, refusal_group, silent_members
from handoff.views.figures.period import Quarter
from handoff.views.figures.tables import FigureRow, Thresholds, all_rows, published_rows
from tests.support.parts.generated_facts import MEMBERS, generated_facts

ZONE = ZoneInfo("Europe/Belgrade")
QUARTER = Quarter.parse("2026-Q3", ZONE)
MOMENTS = (datetime(2026, 8, 20, 12, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC))

FAR = datetime(9000, 1, 1, tzinfo=UTC)

Expected = dict[tuple[tuple[str, str], ...], tuple[Any, ...]]


class Slow:
    """The same figures from the definitions: loops over everything, lifelines for the percentiles."""

    def __init__(self, facts: Facts, now: datetime) -> None:
        self.now = now
        begin, end = datetime(2026, 7, 1, tzinfo=ZONE), datetime(2026, 10, 1, tzinfo=ZONE)
        self.here = [
            h for h in facts.handoffs
            if begin <= h.requested_at < end and h.requested_at <= now and not self._never_there(h)
        ]  # fmt: skip
        self.openings = [o for o in facts.openings if begin <= o.opened_at < end and o.opened_at <= now]
        self.escalations = [e for e in facts.escalations if begin <= e.raised_at < end and e.raised_at <= now]

    def at(self, moment: datetime | None) -> datetime | None:
        return moment if moment is not None and moment <= self.now else None

    def _never_there(self, h: HandoffFacts) -> bool:
        known = [self.at(m) for m in (h.delivered_at, h.opened_at, h.answered_at)]
        return self.at(h.closed_at) is not None and h.state is State.ENTERED_IN_ERROR and known == [None] * 3

    def ending(self, h: HandoffFacts) -> tuple[State, str | None] | None:
        return (h.ending.state, h.ending.code) if h.ending is not None and self.at(h.closed_at) is not None else None

    def is_late(self, h: HandoffFacts, step: str) -> bool:
        return any(name == step and at <= self.now for name, at in h.late.items())

    def accepted(self, h: HandoffFacts) -> datetime | None:
        ending = self.ending(h)
        return None if ending is not None and ending[0] is State.REJECTED else self.at(h.answered_at)

    def chains(self, service: CaseService) -> dict[Any, list[HandoffFacts]]:
        return {
            root: [h for h in self.here if h.chain == root and h.service is service]
            for root in {h.chain for h in self.here if h.service is service}
        }


def _wait_row(waits: Iterable[tuple[float, bool]]) -> tuple[Any, ...]:
    waits = list(waits)
    fitted = KaplanMeierFitter().fit([w for w, _ in waits], [ended for _, ended in waits]).survival_function_
    curve = list(zip(fitted.index, fitted.iloc[:, 0], strict=True))

    def percentile(share: float) -> float | None:
        return next((t for t, left in curve if left <= 1 - share + 1e-9 and any(e and w == t for w, e in waits)), None)

    ended = sum(e for _, e in waits)
    return len(waits), ended, percentile(0.5), percentile(0.9), len(waits) - ended


def _share_row(items: Iterable[bool]) -> tuple[Any, ...]:
    items = list(items)
    return len(items), sum(items), None, None, None


def _until_answered(slow: Slow, key: Callable[[HandoffFacts], tuple[tuple[str, str], ...]]) -> Expected:
    rows: Expected = {}
    for group in {key(h) for h in slow.here}:
        rows[group] = _wait_row(
            (
                ((slow.at(h.answered_at) or slow.at(h.closed_at) or slow.now) - h.requested_at).total_seconds(),
                slow.at(h.answered_at) is not None,
            )
            for h in slow.here
            if key(h) == group
        )
    return rows


def _chain_rows(slow: Slow, services: Iterable[CaseService], reached: Callable[[HandoffFacts], Any]) -> Expected:
    rows: Expected = {}
    for service in services:
        waits = []
        for links in slow.chains(service).values():
            begun = min(h.requested_at for h in links)
            moments = sorted(m for h in links if (m := reached(h)) is not None)
            is_open = any(slow.at(h.closed_at) is None for h in links)
            last = slow.now if is_open else max(slow.at(h.closed_at) or slow.now for h in links)
            waits.append((((moments[0] if moments else last) - begun).total_seconds(), bool(moments)))
        if waits:
            rows[("service", service.value),] = _wait_row(waits)
    return rows


def _grouped_shares(pairs: Iterable[tuple[tuple[tuple[str, str], ...], bool]]) -> Expected:
    pairs = list(pairs)
    return {group: _share_row(within for g, within in pairs if g == group) for group in {g for g, _ in pairs}}


def _service_urgency(h: HandoffFacts) -> tuple[tuple[str, str], ...]:
    return ("service", h.service.value), ("urgency", h.urgency.value)


def _refusal(slow: Slow, h: HandoffFacts) -> str | None:
    ending = slow.ending(h)
    if ending is None:
        return None
    state, code = ending
    if code == "survivor_ended" and slow.at(h.answered_at) is None:
        return "not_taken_up"
    if state is not State.REJECTED and code != "no_arrival":
        return None
    words = {
        "no_capacity.units_full": "no_capacity", "no_capacity.no_staff": "no_capacity",
        "no_capacity.closed_unfunded": "no_capacity", "survivor_declined": "not_taken_up", "no_arrival": "not_taken_up",
        "cannot_meet_need": "not_suitable", "outside_mandate": "not_suitable", "wrong_service": "not_suitable",
        "conflict_of_interest": "not_suitable", "cannot_reach_safely": "not_suitable",
    }  # fmt: skip
    return words.get(str(code), "other")


def _slow_tables(facts: Facts, now: datetime) -> dict[str, Expected]:
    slow = Slow(facts, now)
    shelters = slow.chains(CaseService.SHELTER).values()
    day = timedelta(hours=24)
    old = [links for links in shelters if min(h.requested_at for h in links) + day <= now]

    def outcome(h: HandoffFacts) -> str | None:
        ending = slow.ending(h)
        return ending[1] if ending is not None and ending[0] is State.COMPLETED else None

    def of(service: CaseService) -> list[HandoffFacts]:
        return [h for h in slow.here if h.service is service]

    answered = [h for h in slow.here if slow.at(h.answered_at) or slow.is_late(h, "answered")]
    contacted = [
        h for h in of(CaseService.CASE_MANAGEMENT)
        if slow.accepted(h) and (slow.at(h.started_at) or slow.is_late(h, "first_contact"))
    ]  # fmt: skip
    benefits = [
        h for h in of(CaseService.BENEFIT_CONTINUITY)
        if (slow.ending(h) or (None,))[0] is State.COMPLETED or slow.is_late(h, "benefit_decided")
    ]  # fmt: skip
    due_follow_ups = [h for h in of(CaseService.FOLLOW_UP) if h.due_at is not None and h.due_at <= now]
    offers = [o.offers.get(CaseService.LEGAL_AID) for o in slow.openings]
    escalations = [(e, slow.at(e.acknowledged_at)) for e in slow.escalations]
    segment_rows: Expected = {}
    for service, segment in product(CaseService, Segment):
        spans = [span for h in of(service) for span in segments(h.as_of(now), now) if span.segment is segment]
        if spans:
            group = (("service", service.value), ("segment", segment.value))
            segment_rows[group] = _wait_row((span.lasted.total_seconds(), span.ended) for span in spans)
    return {
        "until_answered": _until_answered(slow, _service_urgency),
        "between_institutions": _until_answered(slow, lambda h: (("source", h.source), ("target", h.target))),
        "segments": segment_rows,
        "until_yes": _chain_rows(slow, CaseService, slow.accepted),
        "until_safe": _chain_rows(slow, [CaseService.SHELTER], lambda h: slow.at(h.started_at)),
        "answered_in_time": _grouped_shares((_service_urgency(h), not slow.is_late(h, "answered")) for h in answered),
        "refused": _grouped_shares(
            ((("service", h.service.value), ("reason", reason)), _refusal(slow, h) == reason)
            for h in slow.here
            for reason in ("no_capacity", "not_taken_up", "not_suitable", "other")
        ),
        "turned_away": {
            (): _share_row(any(_refusal(slow, h) == "no_capacity" for h in links) for links in shelters)
        },
        "unplaced": {
            (): _share_row(
                not any(
                    (slow.at(h.started_at) or FAR) - min(k.requested_at for k in links) <= day for h in links
                )
                for links in old
            )
        },
        "first_contact": _grouped_shares(
            ((("urgency", h.urgency.value),), not slow.is_late(h, "first_contact")) for h in contacted
        ),
        "benefit_decided": _grouped_shares(((), not slow.is_late(h, "benefit_decided")) for h in benefits),
        "legal_aid_offered": {
            (("step", "offered"),): _share_row(answer is not None for answer in offers),
            (("step", "wanted"),): _share_row(answer == "accepted" for answer in offers if answer is not None),
        },
        "legal_aid_accepted": _grouped_shares(
            ((), slow.accepted(h) is not None) for h in of(CaseService.LEGAL_AID)
        ),
        "reporting_delay": {
            (("entry_point", o.entry_point.value), ("delay", o.reporting_delay.value)): _share_row(
                p.reporting_delay == o.reporting_delay for p in slow.openings if p.entry_point == o.entry_point
            )
            for o in slow.openings
        },
        "reintegration": _grouped_shares(
            [
                ((("step", "planned_discharges"),), outcome(h) == "discharge.planned")
                for h in of(CaseService.SHELTER) if str(outcome(h)).startswith("discharge")
            ]
            + [
                ((("step", "plans_agreed"),), outcome(h) == "plan_agreed")
                for h in of(CaseService.REINTEGRATION_PLAN) if outcome(h) in {"plan_agreed", "plan_refused"}
            ]
            + [
                ((("step", f"{h.service.value}_accepted"),), slow.accepted(h) is not None)
                for h in slow.here if h.service in {CaseService.VOCATIONAL_TRAINING, CaseService.EMPLOYMENT}
            ]
        ),
        "follow_ups": _grouped_shares(((), outcome(h) in {"reached", "service_given"}) for h in due_follow_ups),
        "escalations_acknowledged": _grouped_shares(
            ((), not e.is_late) for e, acknowledged in escalations if acknowledged or e.is_late
        ),
    }  # fmt: skip


def _numbers(rows: Iterable[FigureRow]) -> Expected:
    return {row.group: (row.denominator, row.numerator, row.p50, row.p90, row.open) for row in rows}


@pytest.mark.parametrize("now", MOMENTS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_every_figure_equals_a_slow_recomputation(seed: int, now: datetime) -> None:
    facts = generated_facts(seed, 160)
    figures = all_rows(quarter_tables(Cohort.of(facts, QUARTER, now)))
    for code, expected in _slow_tables(facts, now).items():
        assert _numbers(figures[code]) == expected, code


def test_every_figure_has_a_definition() -> None:
    assert DEFINITIONS.keys() == FIGURES.keys() | {"occupancy"}


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_nights_equal_a_count_hour_by_hour(now: datetime) -> None:
    facts = generated_facts(3, 200)
    counted = {each.member: (each.nights, each.passed) for each in occupancy(Cohort.of(facts, QUARTER, now))}
    hour, nights, passed = datetime(2026, 7, 1, tzinfo=ZONE).astimezone(UTC), dict.fromkeys(counted, 0), 0
    while hour.astimezone(ZONE) < datetime(2026, 10, 1, tzinfo=ZONE) and hour <= now:
        if hour.astimezone(ZONE).hour == 6:
            passed += 1
            for h in facts.handoffs:
                if h.service is CaseService.SHELTER and h.started_at is not None and h.started_at <= hour:
                    nights[h.target] += h.closed_at is None or h.closed_at > hour
        hour += timedelta(hours=1)
    assert counted == {member: (nights[member], passed) for member in counted}


def test_members_of_which_the_quarter_has_nothing_are_named() -> None:
    cohort = Cohort.of(generated_facts(1, 50), QUARTER, MOMENTS[1])
    assert silent_members(cohort, MEMBERS) == ("training_centre",)


@pytest.mark.parametrize(
    ("ending", "group"),
    [
        (Ending(State.REJECTED, RejectionCode.NO_STAFF), "no_capacity"),
        (Ending(State.REJECTED, RejectionCode.SURVIVOR_DECLINED), "not_taken_up"),
        (Ending(State.FAILED, FailureCode.NO_ARRIVAL), "not_taken_up"),
        (Ending(State.REJECTED, RejectionCode.WRONG_SERVICE), "not_suitable"),
        (Ending(State.REJECTED, RejectionCode.DUPLICATE), "other"),
        (Ending(State.COMPLETED, ServiceOutcome.SERVICE_GIVEN), None),
    ],
)
def test_every_refusal_has_a_group(ending: Ending, group: str | None) -> None:
    facts = HandoffFacts(
        "h", "h", "police", "shelter", CaseService.SHELTER, Urgency.HIGH, ending.state, MOMENTS[0], ending=ending
    )
    assert refusal_group(facts) == group


def test_published_rows_hide_small_cells_and_percentiles_of_few() -> None:
    tables = quarter_tables(Cohort.of(generated_facts(2, 50), QUARTER, MOMENTS[2]))
    thresholds = Thresholds()
    for code, rows in published_rows(tables, thresholds).items():
        for row in rows:
            for number in (row.denominator, row.numerator):
                assert number is None or number == 0 or number >= thresholds.cell, (code, row)
            if row.denominator is not None and row.numerator is not None:
                assert row.denominator - row.numerator == 0 or row.denominator - row.numerator >= thresholds.cell
            assert row.p50 is None or (row.numerator or 0) >= thresholds.median


@pytest.mark.parametrize("text", ["2026-Q5", "2026Q1", "26-Q1", "0000-Q1", ""])
def test_a_quarter_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quarter"):
        Quarter.parse(text, ZONE)


def test_the_quarter_of_the_clock_change_has_its_local_bounds() -> None:
    quarter = Quarter.parse("2026-Q1", ZONE)
    assert (quarter.since, quarter.until) == (
        datetime(2025, 12, 31, 23, tzinfo=UTC),
        datetime(2026, 3, 31, 22, tzinfo=UTC),
    )
    assert len(quarter.nights(MOMENTS[2])) == 90
