"""Flows between institutions: waits by pair, waits over chains of redirects, and the reasons of refusals."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from handoff.domain.handoff_clock import was_never_there
from handoff.record.codes import CaseService, FailureCode, RejectionCode, State
from handoff.views.board.handoff import BoardHandoff
from handoff.views.board.suppression import MEDIAN_THRESHOLD, THRESHOLD, PublishedTable, published
from handoff.views.survival import Wait, quantile


class Outcome(StrEnum):
    """Outcome of a request, for the table of pairs. They are disjoint and complete."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    OPEN = "open"
    ENDED_UNANSWERED = "ended_unanswered"


class RefusalGroup(StrEnum):
    """Reason why a request did not lead to a service, as published."""

    NO_CAPACITY = "no_capacity"
    NOT_TAKEN_UP = "not_taken_up"
    NOT_SUITABLE = "not_suitable"
    OTHER = "other"


GROUP_OF: Mapping[RejectionCode | FailureCode, RefusalGroup] = {
    RejectionCode.UNITS_FULL: RefusalGroup.NO_CAPACITY,
    RejectionCode.NO_STAFF: RefusalGroup.NO_CAPACITY,
    RejectionCode.CLOSED_UNFUNDED: RefusalGroup.NO_CAPACITY,
    RejectionCode.CANNOT_MEET_NEED: RefusalGroup.NOT_SUITABLE,
    RejectionCode.OUTSIDE_MANDATE: RefusalGroup.NOT_SUITABLE,
    RejectionCode.WRONG_SERVICE: RefusalGroup.NOT_SUITABLE,
    RejectionCode.CONFLICT_OF_INTEREST: RefusalGroup.NOT_SUITABLE,
    RejectionCode.CANNOT_REACH_SAFELY: RefusalGroup.NOT_SUITABLE,
    RejectionCode.SURVIVOR_DECLINED: RefusalGroup.NOT_TAKEN_UP,
    RejectionCode.DUPLICATE: RefusalGroup.OTHER,
    RejectionCode.BASIS_INVALID: RefusalGroup.OTHER,
    FailureCode.NO_ARRIVAL: RefusalGroup.NOT_TAKEN_UP,
    FailureCode.SURVIVOR_ENDED: RefusalGroup.NOT_TAKEN_UP,
    FailureCode.LEFT_SERVICE: RefusalGroup.NOT_TAKEN_UP,
    FailureCode.CANNOT_REACH_SAFELY: RefusalGroup.NOT_SUITABLE,
    FailureCode.PROVIDER_CAPACITY: RefusalGroup.NO_CAPACITY,
    FailureCode.PROVIDER_CONFLICT: RefusalGroup.NOT_SUITABLE,
    FailureCode.PROVIDER_SAFETY: RefusalGroup.NOT_SUITABLE,
    FailureCode.TRANSFERRED: RefusalGroup.OTHER,
    FailureCode.DECEASED: RefusalGroup.OTHER,
    FailureCode.ONWARD_REFUSED: RefusalGroup.NO_CAPACITY,
}
"""Code of a refusal, or of a failure before the service began → its group. Every code has one."""


@dataclass(frozen=True, slots=True)
class WaitFigure:
    """Kaplan-Meier percentiles of a wait, in seconds, and what they do not know.

    ``naive_p50`` is the median of the ended waits alone, which leaves out those that still last. Percentiles of fewer
    than ten waits are None, and so are counts below the threshold.
    """

    count: int | None
    open: int | None
    p50: float | None
    p90: float | None
    naive_p50: float | None


@dataclass(frozen=True, slots=True)
class PairRow:
    """Requests from one institution to another. A suppressed count is None."""

    source: str
    target: str
    total: int | None
    outcomes: Mapping[Outcome, int | None]
    p50: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """Waits for one service: of each request until its answer, and of each chain until an institution accepted."""

    service: CaseService
    until_answered: WaitFigure
    until_accepted: WaitFigure


@dataclass(frozen=True, slots=True)
class Flows:
    """The aggregates over the requests of one period, as of one moment.

    ``refusals`` are the requests that led to no service, by service and group.
    """

    at: datetime
    pairs: tuple[PairRow, ...]
    services: tuple[ServiceRow, ...]
    refusals: PublishedTable[CaseService, RefusalGroup]
    waits: Mapping[CaseService, tuple[Wait, ...]]
    suppressed: int


def flows(handoffs: Iterable[BoardHandoff], at: datetime) -> Flows:
    """Return the aggregates. A request that was entered in error before its delivery does not count."""
    counted = tuple(handoff for handoff in handoffs if not was_never_there(handoff))
    pairs, refusals = _pairs(counted, at), _refusals(counted)
    return Flows(
        at=at,
        pairs=pairs,
        services=_services(counted, at),
        refusals=refusals,
        waits=_published_waits(counted, at),
        suppressed=refusals.hidden + sum(count is None for row in pairs for count in row.outcomes.values()),
    )


def outcome_of(handoff: BoardHandoff) -> Outcome:
    """Return the outcome of a request."""
    if handoff.ending is not None and handoff.ending.state is State.REJECTED:
        return Outcome.REFUSED
    if handoff.answered_at is not None:
        return Outcome.ACCEPTED
    return Outcome.OPEN if handoff.is_open else Outcome.ENDED_UNANSWERED


def refusal_group(handoff: BoardHandoff) -> RefusalGroup | None:
    """Return the group of a request that led to no service; None if it led to one or is open."""
    ending = handoff.ending
    if ending is None or handoff.started_at is not None:
        return None
    if ending.code in _BY_VALUE:
        return _BY_VALUE[ending.code]
    if ending.state is State.REVOKED:
        # She withdrew her release before an answer.
        return RefusalGroup.NOT_TAKEN_UP
    return None if ending.state is State.COMPLETED else RefusalGroup.OTHER


_BY_VALUE: Mapping[str | None, RefusalGroup] = {code.value: group for code, group in GROUP_OF.items()}


def until_answered(handoff: BoardHandoff, at: datetime) -> Wait:
    """Return the wait of one request for its answer; any other end censors it."""
    last = handoff.answered_at or handoff.closed_at or at
    return _wait(handoff.requested_at, last, ended=handoff.answered_at is not None)


def until_accepted(chain: Sequence[BoardHandoff], at: datetime) -> Wait:
    """Return the wait of a chain of redirects for its first acceptance. A refusal does not end it."""
    since = min(handoff.requested_at for handoff in chain)
    accepted = min((time for handoff in chain if (time := handoff.accepted_at) is not None), default=None)
    if accepted is not None:
        return _wait(since, accepted, ended=True)
    closed = [handoff.closed_at for handoff in chain]
    # A refusal without a next request leaves her waiting. Any other end censors the wait.
    waits_on = any(time is None for time in closed) or outcome_of(max(chain, key=lambda h: h.hop)) is Outcome.REFUSED
    return _wait(since, at if waits_on else max(time for time in closed if time is not None), ended=False)


def figure(waits: Sequence[Wait]) -> WaitFigure:
    """Return the figure of several waits."""
    shown = len(waits) >= MEDIAN_THRESHOLD
    ended = [wait for wait in waits if wait.ended]
    return WaitFigure(
        count=_shown(len(waits)),
        open=_shown(len(waits) - len(ended)),
        p50=quantile(waits, 0.5) if shown else None,
        p90=quantile(waits, 0.9) if shown else None,
        naive_p50=quantile(ended, 0.5) if len(ended) >= MEDIAN_THRESHOLD else None,
    )


def _shown(count: int) -> int | None:
    return count if count == 0 or count >= THRESHOLD else None


def _wait(since: datetime, until: datetime, *, ended: bool) -> Wait:
    return Wait(max(until - since, timedelta()).total_seconds(), ended)


def _pairs(handoffs: Sequence[BoardHandoff], at: datetime) -> tuple[PairRow, ...]:
    groups: dict[tuple[str, str], list[BoardHandoff]] = {}
    for handoff in handoffs:
        groups.setdefault((handoff.source, handoff.target), []).append(handoff)
    counts = Counter((pair, outcome_of(handoff)) for pair, group in groups.items() for handoff in group)
    table = published(counts, sorted(groups), Outcome)
    rows = list[PairRow]()
    for pair, group in sorted(groups.items()):
        found = figure([until_answered(handoff, at) for handoff in group])
        outcomes = {one: table.cells[pair, one] for one in Outcome}
        rows.append(PairRow(*pair, table.totals[pair], outcomes, found.p50, found.p90))
    return tuple(rows)


def _published_waits(handoffs: Iterable[BoardHandoff], at: datetime) -> dict[CaseService, tuple[Wait, ...]]:
    """Return the waits of each service whose distribution may be shown: a curve shows each single one."""
    waits: dict[CaseService, list[Wait]] = {}
    for handoff in handoffs:
        waits.setdefault(handoff.service, []).append(until_answered(handoff, at))
    return {service: tuple(found) for service, found in waits.items() if len(found) >= MEDIAN_THRESHOLD}


def _services(handoffs: Sequence[BoardHandoff], at: datetime) -> tuple[ServiceRow, ...]:
    by_service: dict[CaseService, list[BoardHandoff]] = {}
    for handoff in handoffs:
        by_service.setdefault(handoff.service, []).append(handoff)
    rows = list[ServiceRow]()
    for service in (service for service in CaseService if service in by_service):
        chains: dict[UUID, list[BoardHandoff]] = {}
        for handoff in by_service[service]:
            chains.setdefault(handoff.chain, []).append(handoff)
        answers = [until_answered(handoff, at) for handoff in by_service[service]]
        rows.append(ServiceRow(service, figure(answers), figure([until_accepted(one, at) for one in chains.values()])))
    return tuple(rows)


def _refusals(handoffs: Iterable[BoardHandoff]) -> PublishedTable[CaseService, RefusalGroup]:
    counts = Counter((handoff.service, group) for handoff in handoffs if (group := refusal_group(handoff)) is not None)
    found = {service for service, _ in counts}
    return published(counts, [service for service in CaseService if service in found], RefusalGroup)
