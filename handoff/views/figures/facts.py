"""Facts that figures are computed from, without cases, and their state at an earlier moment.

Handoffs have opaque references. The facts are derived from the record; all times are record time.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from handoff.domain.case import Ending, HoldPeriod, Step
from handoff.record.codes import CaseService, DeadlineStep, EntryPoint, OfferAnswer, ReportingDelay, State, Urgency


@dataclass(frozen=True, slots=True)
class HandoffFacts:
    """Moments of one handoff. ``chain`` is the reference of the first handoff of its chain of redirects.

    ``late`` are the steps whose deadline was missed. For the other fields see ``Handoff``.
    """

    reference: Hashable
    chain: Hashable
    source: str
    target: str
    service: CaseService
    urgency: Urgency
    state: State
    requested_at: datetime
    delivered_at: datetime | None = None
    opened_at: datetime | None = None
    answered_at: datetime | None = None
    started_at: datetime | None = None
    closed_at: datetime | None = None
    due_at: datetime | None = None
    place_held_until: datetime | None = None
    place_agreed_at: datetime | None = None
    ending: Ending | None = None
    pauses: tuple[HoldPeriod, ...] = ()
    steps: tuple[Step, ...] = ()
    late: Mapping[DeadlineStep, datetime] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        """Return whether the target refused it."""
        return self.ending is not None and self.ending.state is State.REJECTED

    @property
    def accepted_at(self) -> datetime | None:
        """Time of the acceptance."""
        return None if self.is_refused else self.answered_at

    def as_of(self, moment: datetime) -> "HandoffFacts":
        """Return the facts that the record had at ``moment``, which is not before the request."""

        def known(at: datetime | None) -> datetime | None:
            return at if at is not None and at <= moment else None

        is_closed = known(self.closed_at) is not None
        return replace(
            self,
            state=self.state if is_closed or self.closed_at is None else State.REQUESTED,
            delivered_at=known(self.delivered_at),
            opened_at=known(self.opened_at),
            answered_at=known(self.answered_at),
            started_at=known(self.started_at),
            closed_at=known(self.closed_at),
            ending=self.ending if is_closed else None,
            pauses=tuple(
                HoldPeriod(pause.code, pause.since, known(pause.until))
                for pause in self.pauses
                if pause.since <= moment
            ),
            late={step: at for step, at in self.late.items() if at <= moment},
        )


@dataclass(frozen=True, slots=True)
class OpeningFacts:
    """Opening of one case: where and how late violence was reported, and the offered services with her answers."""

    reference: Hashable
    opened_at: datetime
    entry_point: EntryPoint
    reporting_delay: ReportingDelay
    offers: Mapping[CaseService, OfferAnswer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EscalationFacts:
    """Escalation of a late step of ``member``. ``is_late``: it was not acknowledged by its own deadline."""

    reference: Hashable
    member: str
    raised_at: datetime
    acknowledged_at: datetime | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """Places of a shelter: licensed ones, and those that its staff can serve."""

    licensed: int
    staffed: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the figures of one jurisdiction are computed from.

    ``members`` offer services; ``places`` are those of the shelters in the plan.
    """

    handoffs: Sequence[HandoffFacts]
    openings: Sequence[OpeningFacts]
    escalations: Sequence[EscalationFacts]
    members: tuple[str, ...]
    places: Mapping[str, Places] = field(default_factory=dict)

    def as_of(self, moment: datetime) -> "Facts":
        """Return the facts that the record had at ``moment``."""
        return replace(
            self,
            handoffs=tuple(each.as_of(moment) for each in self.handoffs if each.requested_at <= moment),
            openings=tuple(each for each in self.openings if each.opened_at <= moment),
            escalations=tuple(
                each if each.acknowledged_at is None or each.acknowledged_at <= moment
                else replace(each, acknowledged_at=None)
                for each in self.escalations if each.raised_at <= moment
            ),
        )  # fmt: skip
