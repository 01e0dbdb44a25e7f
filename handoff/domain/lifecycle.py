"""State machine of a referral.

Theory of operation
===================

A referral is one request by one institution, the *source*, to another, the *target*, for one service to one survivor.
It is a state machine whose inputs are the events of the record, in the order of the record. There is one state
machine for each referral. It has no outputs: `handoff.domain.consequences` derives the events that the exchange emits.

States
------

The states are those of HL7 FHIR Task, and *revoked* for a request whose release was withdrawn. They are of three kinds:

- *open* (`OPEN`): requested, accepted, in progress, on hold. All but requested are *active* (`ACTIVE`): the target has
  accepted and the survivor receives the service, or will.
- *ended* (`ENDED`): no event leads out of these, except that the source may mark an ended referral as entered in error.
- `ABSENT`: there is no referral with this id yet.

Transitions
-----------

`TABLE` holds every transition: the event, the role of its emitter, the states in which it is allowed, the state that it
leads to, and further conditions. Nothing else changes the state of a referral.

The table depends on no I/O, clock or configuration, and imports no process. `docs/lifecycle.md` and its diagram are
generated from it. The history checker has a table of its own, written independently, against which this one is tested.

Each event goes through these steps, in every process that judges:

1. `role_of` compares the emitter with the two parties of the referral. A member that is neither has no role. Its event
   is ineffective with the reason *absent*, as if the referral did not exist, so it learns nothing.
2. `transition_for` finds the row with this event, role, state and code. If there is none, the event is ineffective, and
   `obstacle` gives the reason: the event belongs to another role (`wrong_emitter`), the state forbids it (the state is
   the reason; in state *revoked* that of the revocation), it is a fact that is recorded (`already`), or this role may
   not use the code (`code_not_allowed`).
3. The row's conditions (`handoff.domain.conditions`) are checked in order. The first reason that one returns is the
   reason of the verdict. Conditions depend on more than the state: on the basis, the directory, other referrals.
4. `handoff.domain.evolve` applies the effective event to the folded state.

The node of an agency does not repeat step 3 for the entries of its inbox: it does not hold the whole case, so it uses
the verdict that the exchange delivered with the entry.

Some rows leave the state as it is (`Change.NONE`). They record *facts*: the request was delivered, a person opened it,
a dossier was disclosed. Most facts are counted once; `Transition.once` makes a repetition ineffective. A fact is kept
with the name of its event type without the version, so that a new version of the type does not count it again.
A request for cancellation is not a fact of this kind: the source may repeat it after the target has declined it, and
conditions refuse a second one before that.

`ReferralResumed` returns to the state before the pause (`Change.BACK`), which the fold keeps in `Referral.paused_from`.

Ineffective events
------------------

A race normally ends in an ineffective event, which is not an error. If the target rejects while the source cancels, the
order of the record decides. The later event stays on the record and changes nothing. Both parties receive it with the
reason, so its emitter learns the state that it did not know. No lock and no agreement between nodes is needed.

Corrections
-----------

The record only grows, so nothing is undone. A later event corrects an earlier one:

- *Entered in error*: the source may mark a referral in any state. The target may do so while it is requested or
  accepted, with the code *misdirected* only.
- *Withdrawn release*: the exchange revokes a request that is not accepted yet (`ReferralRevoked`). For an active
  referral it closes disclosure (`DisclosureClosed`), and the service continues. Both are events with rows of their own,
  so that a withdrawal has the same effect for every reader.
- *Expired release*: the exchange revokes a request that is not answered when its basis expires, by record time. The
  referral keeps the reason, `basis_expired` or `release_withdrawn`, which later events get as theirs.
- *Ending*: an institution records that the survivor ends services. That ends its own open referrals, and the requests
  of others if it serves her. To each other target the exchange reports an ending (`EndingReported`) without naming the
  institution. The target asks her and ends the service, or continues it with her word (`ServiceContinued`).
- *Acceptance by phone*: the source records it as a claim, which is a fact. The state changes when the target accepts.

A race
------

The police withdraw a release at the survivor's wish while the shelter accepts. The exchange reacts to the withdrawal
after the acceptance is on the record::

    event               emitter   state before   verdict                          state after
    referral.requested  police    absent         effective                        requested
    referral.delivered  shelter   requested      effective, a fact                requested
    release.withdrawn   police    requested      effective, changes the basis     requested
    referral.accepted   shelter   requested      ineffective: release_withdrawn   requested
    basis.ended         exchange  requested      effective, changes the basis     requested
    referral.revoked    exchange  requested      effective                        revoked
    referral.rejected   shelter   revoked        ineffective: release_withdrawn   revoked
    referral.voided     police    revoked        effective                        entered-in-error

The acceptance has a row, and its condition `basis_is_valid` fails. The rejection has no row in state *revoked*.
The events about the release and the basis are not about a referral: `handoff.domain.rules` has their conditions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from handoff.domain import conditions as c
from handoff.domain.allowances import SOURCE_MAY_FAIL
from handoff.domain.case import Referral
from handoff.domain.conditions import Condition
from handoff.record.codes import FailureCode, IneffectiveReason, State, VoidCode
from handoff.record.events import referral as e
from handoff.record.events.base import ReferralBody


class Role(StrEnum):
    """Role of an event's emitter towards a referral."""

    SOURCE = "source"
    TARGET = "target"
    EXCHANGE = "exchange"


class Change(StrEnum):
    """End of a transition that names no state."""

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
class Transition:
    """A transition. ``codes``: allowed with these codes only. ``once``: only the first such event is effective."""

    event: type[ReferralBody]
    by: Role
    start: frozenset[State]
    end: State | Change
    conditions: tuple[Condition, ...] = ()
    codes: frozenset[str] | None = None
    once: bool = False

    @property
    def is_fact(self) -> bool:
        """True if it does not change the state."""
        return self.end is Change.NONE


def _fact(event: type[ReferralBody], by: Role, start: frozenset[State], *conditions: Condition) -> Transition:
    return Transition(event, by, start, Change.NONE, conditions, once=True)


SOURCE, TARGET, EXCHANGE = Role.SOURCE, Role.TARGET, Role.EXCHANGE

_NEW_REQUEST = (c.target_accepts_requests, c.request_has_valid_basis, c.referrals_are_few)

TABLE: tuple[Transition, ...] = (
    Transition(
        e.ReferralRequested,
        SOURCE,
        _ABSENT,
        State.REQUESTED,
        _NEW_REQUEST,
    ),
    Transition(
        e.ReferralImported,
        SOURCE,
        _ABSENT,
        State.REQUESTED,
        _NEW_REQUEST,
    ),
    Transition(e.ReferralAccepted, TARGET, _REQUESTED, State.ACCEPTED, (c.basis_is_valid,)),
    Transition(e.ReferralRejected, TARGET, _REQUESTED, State.REJECTED, (c.code_is_allowed,)),
    Transition(e.ReferralRevoked, EXCHANGE, _REQUESTED, State.REVOKED, (c.end_of_basis_is_due,)),
    Transition(e.ReferralStarted, TARGET, _ACCEPTED, State.IN_PROGRESS, (c.start_is_allowed,)),
    Transition(e.ReferralPaused, TARGET, _ACCEPTED | _IN_PROGRESS, State.ON_HOLD, (c.hold_is_allowed,)),
    Transition(e.ReferralResumed, TARGET, _ON_HOLD, Change.BACK),
    Transition(
        e.ReferralCompleted,
        TARGET,
        _IN_PROGRESS,
        State.COMPLETED,
        (c.outcome_is_allowed, c.plan_is_completed),
    ),
    Transition(e.ReferralFailed, TARGET, ACTIVE, State.FAILED),
    Transition(e.ReferralFailed, SOURCE, ACTIVE, State.FAILED, codes=SOURCE_MAY_FAIL),
    Transition(e.ReferralFailed, EXCHANGE, OPEN, State.FAILED, codes=frozenset({FailureCode.SURVIVOR_ENDED})),
    Transition(e.ReferralCancelled, SOURCE, _REQUESTED, State.CANCELLED),
    Transition(e.ReferralCancelled, TARGET, ACTIVE, State.CANCELLED, (c.cancellation_is_pending,)),
    Transition(e.ReferralVoided, SOURCE, KNOWN - {State.ENTERED_IN_ERROR}, State.ENTERED_IN_ERROR),
    Transition(
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
    Transition(e.CancellationRequested, SOURCE, ACTIVE, Change.NONE, (c.no_cancellation_is_pending,)),
    Transition(e.CancellationDeclined, TARGET, ACTIVE, Change.NONE, (c.cancellation_is_pending,)),
    _fact(e.OnwardRefused, TARGET, ACTIVE),
    Transition(e.EndingReported, EXCHANGE, OPEN, Change.NONE, (c.no_ending_is_reported,)),
    Transition(e.ServiceContinued, TARGET, OPEN, Change.NONE, (c.ending_is_reported,)),
    _fact(
        e.ReferralRedirected,
        SOURCE,
        frozenset({State.REJECTED, State.FAILED, State.CANCELLED}),
        c.next_request_exists,
    ),
    _fact(e.DossierDisclosed, SOURCE, ACTIVE, c.disclosure_is_open),
    _fact(e.DossierDelivered, TARGET, KNOWN, c.dossier_was_disclosed),
    _fact(e.DossierDestroyed, SOURCE, KNOWN),
    _fact(e.DossierDestroyed, TARGET, KNOWN),
    _fact(e.DisclosureClosed, EXCHANGE, ACTIVE),
)

Transitions = Mapping[type[ReferralBody], tuple[Transition, ...]]
"""Event type → its rows of a table of transitions."""


def by_event(table: Iterable[Transition]) -> Transitions:
    """Return the rows of ``table`` by their event."""
    rows: dict[type[ReferralBody], tuple[Transition, ...]] = {}
    for row in table:
        rows[row.event] = (*rows.get(row.event, ()), row)
    return rows


def role_of(member: str, referral: Referral | None, exchange: str) -> Role | None:
    """Return the role of ``member``, None if it has none. The emitter of a new referral's first event is its source."""
    if member == exchange:
        return Role.EXCHANGE
    if referral is None or member == referral.source:
        return Role.SOURCE
    return Role.TARGET if member == referral.target else None


def transition_for(
    transitions: Transitions, body: ReferralBody, role: Role | None, referral: Referral | None
) -> Transition | None:
    """Return the row that allows ``body`` by ``role`` in the referral's state, None if no row does.

    The row's conditions are not checked.
    """
    state = referral.state if referral is not None else State.ABSENT
    for row in transitions.get(type(body), ()):
        if row.by is not role or state not in row.start:
            continue
        if row.codes is not None and getattr(body, "code", None) not in row.codes:
            continue
        if row.once and referral is not None and referral.has_fact(row.event, row.by):
            continue
        return row
    return None


def obstacle(transitions: Transitions, body: ReferralBody, role: Role, referral: Referral) -> str:
    """Return the reason why no row allows ``body`` by ``role`` on an existing referral: a code, or its state."""
    rows = [row for row in transitions.get(type(body), ()) if row.by is role]
    if not rows:
        return IneffectiveReason.WRONG_EMITTER
    if all(row.start == _ABSENT for row in rows):
        return IneffectiveReason.ALREADY
    rows = [row for row in rows if referral.state in row.start]
    if not rows:
        # The same reason as before the revocation: until that is recorded, the condition basis_is_valid gives it.
        return referral.revoked_for if referral.revoked_for is not None else referral.state
    is_repeated = any(row.once and referral.has_fact(row.event, row.by) for row in rows)
    return IneffectiveReason.ALREADY if is_repeated else IneffectiveReason.CODE_NOT_ALLOWED
