"""A handoff as the board knows it: its moments under an opaque reference, without case and referral."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from handoff.domain.case import Ending, HoldPeriod, Step
from handoff.record.codes import CaseService, State, Urgency


@dataclass(frozen=True, slots=True)
class BoardHandoff:
    """Moments of one handoff in record time, as the clock reads them. ``chain`` is its first reference."""

    reference: UUID
    chain: UUID
    hop: int
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

    @property
    def is_open(self) -> bool:
        """Return whether the handoff has not ended."""
        return self.closed_at is None

    @property
    def accepted_at(self) -> datetime | None:
        """The time of the acceptance; None if it was refused or is not answered yet."""
        refused = self.ending is not None and self.ending.state is State.REJECTED
        return None if refused else self.answered_at

    def as_of(self, moment: datetime) -> Self | None:
        """Return the handoff as it was at ``moment``, without its steps; None if it was not requested yet."""
        if self.requested_at > moment:
            return None

        def known(time: datetime | None) -> datetime | None:
            return time if time is not None and time <= moment else None

        begun = (pause for pause in self.pauses if pause.since <= moment)
        closed_at = known(self.closed_at)
        return replace(
            self,
            # The states in between are not stored; the clock reads the moments.
            state=self.state if closed_at is not None else State.REQUESTED,
            delivered_at=known(self.delivered_at),
            opened_at=known(self.opened_at),
            answered_at=known(self.answered_at),
            started_at=known(self.started_at),
            closed_at=closed_at,
            ending=self.ending if closed_at is not None else None,
            pauses=tuple(HoldPeriod(pause.code, pause.since, known(pause.until)) for pause in begun),
            steps=(),
        )
