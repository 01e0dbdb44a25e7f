"""The life of a referral, in one table that does not know who is running it.

A row says: this event, by this role, from these states, leads there, under these conditions. Everything that no
row allows is ineffective, with the state as its reason. The diagram in the docs is drawn from this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from handoff.domain import conditions as c
from handoff.domain.allowances import SOURCE_MAY_FAIL
from handoff.domain.case import Referral
from handoff.domain.conditions import Condition
from handoff.record.codes import FailureCode, State, VoidCode
from handoff.record.events import referral as e
from handoff.record.events.base import ReferralBody


class Role(StrEnum):
    """What the emitter of an event is to a referral."""

    SOURCE = "source"
    TARGET = "target"
    EXCHANGE = "exchange"


class Change(StrEnum):
    """Where a row leads that does not name a state."""

    NONE = "as before"
    BACK = "the state before the pause"


ACTIVE = frozenset({State.ACCEPTED, State.IN_PROGRESS, State.ON_HOLD})
OPEN = ACTIVE | {State.REQUESTED}
ENDED = frozenset(State) - OPEN - {State.ABSENT}
KNOWN = OPEN | ENDED
_ABSENT, _REQUESTED, _ACCEPTED = (
    frozenset({State.ABSENT}),
    frozenset({State.REQUESTED}),
    frozenset({State.ACCEPTED}),
)
_IN_PROGRESS, _ON_HOLD = frozenset({State.IN_PROGRESS}), frozenset({State.ON_HOLD})


@dataclass(frozen=True, slots=True)
class Row:
    """One allowed step. ``once``: the first counts. ``codes``: only with one of these codes."""

    event: type[ReferralBody]
    by: Role
    start: frozenset[State]
    end: State | Change
    conditions: tuple[Condition, ...] = ()
    codes: frozenset[str] | None = None
    once: bool = False

    @property
    def is_fact(self) -> bool:
        """Whether it leaves the state as it is."""
        return self.end is Change.NONE


def _fact(event: type[ReferralBody], by: Role, start: frozenset[State], *conditions: Condition) -> Row:
    return Row(event, by, start, Change.NONE, conditions, once=True)


SOURCE, TARGET, EXCHANGE = Role.SOURCE, Role.TARGET, Role.EXCHANGE

TABLE: tuple[Row, ...] = (
    Row(
        e.ReferralRequested,
        SOURCE,
        _ABSENT,
        State.REQUESTED,
        (c.target_takes_requests, c.rests_on_live_basis),
    ),
    Row(e.ReferralImported, SOURCE, _ABSENT, State.REQUESTED, (c.target_takes_requests, c.rests_on_live_basis)),
    Row(e.ReferralAccepted, TARGET, _REQUESTED, State.ACCEPTED, (c.basis_still_live,)),
    Row(e.ReferralRejected, TARGET, _REQUESTED, State.REJECTED, (c.rejection_fits_service,)),
    Row(e.ReferralRevoked, EXCHANGE, _REQUESTED, State.REVOKED),
    Row(e.ReferralStarted, TARGET, _ACCEPTED, State.IN_PROGRESS, (c.start_fits_service,)),
    Row(e.ReferralPaused, TARGET, _ACCEPTED | _IN_PROGRESS, State.ON_HOLD),
    Row(e.ReferralResumed, TARGET, _ON_HOLD, Change.BACK),
    Row(
        e.ReferralCompleted,
        TARGET,
        _IN_PROGRESS,
        State.COMPLETED,
        (c.outcome_fits_service, c.plan_comes_first),
    ),
    Row(e.ReferralFailed, TARGET, ACTIVE, State.FAILED),
    Row(e.ReferralFailed, SOURCE, ACTIVE, State.FAILED, codes=SOURCE_MAY_FAIL),
    Row(e.ReferralFailed, EXCHANGE, OPEN, State.FAILED, codes=frozenset({FailureCode.SURVIVOR_ENDED})),
    Row(e.ReferralCancelled, SOURCE, _REQUESTED, State.CANCELLED),
    Row(e.ReferralCancelled, TARGET, ACTIVE, State.CANCELLED, (c.cancellation_is_asked,)),
    Row(e.ReferralVoided, SOURCE, KNOWN - {State.ENTERED_IN_ERROR}, State.ENTERED_IN_ERROR),
    Row(
        e.ReferralVoided,
        TARGET,
        _REQUESTED | _ACCEPTED,
        State.ENTERED_IN_ERROR,
        codes=frozenset({VoidCode.MISDIRECTED}),
    ),
    _fact(e.ReferralDelivered, TARGET, OPEN),
    _fact(e.ReferralOpened, TARGET, OPEN),
    _fact(e.AcceptanceClaimed, SOURCE, _REQUESTED),
    _fact(e.PlaceHoldExtended, TARGET, _ACCEPTED),
    Row(e.CancellationRequested, SOURCE, ACTIVE, Change.NONE, (c.cancellation_is_not_asked,)),
    Row(e.CancellationDeclined, TARGET, ACTIVE, Change.NONE, (c.cancellation_is_asked,)),
    _fact(
        e.ReferralRedirected,
        SOURCE,
        frozenset({State.REJECTED, State.FAILED, State.CANCELLED}),
        c.next_one_was_asked,
    ),
    _fact(e.DossierDisclosed, SOURCE, ACTIVE, c.disclosure_is_open),
    _fact(e.DossierDelivered, TARGET, KNOWN, c.dossier_was_disclosed),
    _fact(e.DossierDestroyed, SOURCE, KNOWN),
    _fact(e.DossierDestroyed, TARGET, KNOWN),
    _fact(e.DisclosureClosed, EXCHANGE, ACTIVE),
)

_ROWS_OF = {event: tuple(row for row in TABLE if row.event is event) for event in {row.event for row in TABLE}}


def role_of(member: str, referral: Referral | None, exchange: str) -> Role | None:
    """What ``member`` is to ``referral``; whoever speaks of one that does not exist yet is its source."""
    if member == exchange:
        return Role.EXCHANGE
    if referral is None or member == referral.source:
        return Role.SOURCE
    return Role.TARGET if member == referral.target else None


def row_for(body: ReferralBody, role: Role | None, referral: Referral | None) -> Row | None:
    """The row that allows ``body`` by ``role`` in the referral's state, before its conditions."""
    state = referral.state if referral is not None else State.ABSENT
    return next((row for row in _rows(body, role) if state in row.start and not _is_repeat(row, referral)), None)


def fact_key(row: Row) -> str:
    """Under which name a fact is remembered, so that the first counts."""
    return f"{row.event.type}/{row.by.value}"


def _rows(body: ReferralBody, role: Role | None) -> Iterator[Row]:
    for row in _ROWS_OF.get(type(body), ()):
        if row.by is role and (row.codes is None or getattr(body, "code", None) in row.codes):
            yield row


def _is_repeat(row: Row, referral: Referral | None) -> bool:
    return row.once and referral is not None and fact_key(row) in referral.facts
