"""The shape of every answer to an auditor: rows that cite the entries they rest on, and how many deserve a look."""

from datetime import datetime, timedelta
from typing import Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, computed_field

from handoff.record.delivery import VerdictKind
from handoff.views.replay.history import Told


class Frozen(BaseModel):
    """A part of an answer: codes, ids, times in UTC, durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Frozen):
    """One finding. ``agencies``: whom it concerns; ``positions``: the entries that show it, by their offsets.

    ``notable``: what an auditor would look at first.
    """

    agencies: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    notable: bool = False

    def concerns(self, agency: str) -> bool:
        """Whether it concerns ``agency``."""
        return agency in self.agencies


RowT = TypeVar("RowT", bound=Row)


class Answer(Frozen, Generic[RowT]):
    """The answer to one question, as of ``moment`` by the record's clock."""

    moment: datetime
    rows: tuple[RowT, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def count(self) -> int:
        """How many findings there are."""
        return len(self.rows)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def notable_count(self) -> int:
        """How many of them an auditor would look at first."""
        return sum(row.notable for row in self.rows)

    def of(self, agency: str | None) -> Self:
        """The part of it that concerns ``agency``; all of it if that is None."""
        if agency is None:
            return self
        return self.model_copy(update={"rows": tuple(row for row in self.rows if row.concerns(agency))})


class Line(Frozen):
    """An entry in one line: its place, who said what, and what the rules made of it."""

    position: int
    at: datetime
    emitter: str | None
    type: str | None
    referral: UUID | None
    outcome: VerdictKind
    reason: str | None


def line(told: Told) -> Line:
    """The line of ``told``."""
    return Line(
        position=told.position,
        at=told.at,
        emitter=told.emitter,
        type=told.event_type,
        referral=told.referral_id,
        outcome=told.verdict.kind,
        reason=told.verdict.reason,
    )


def seconds(since: datetime, until: datetime) -> float:
    """How long it took; never less than nothing."""
    return max(until - since, timedelta()) / timedelta(seconds=1)


def seconds_or_none(since: datetime | None, until: datetime | None) -> float | None:
    """How long it took, where both moments are known."""
    return seconds(since, until) if since is not None and until is not None else None


def names(*members: str | None) -> tuple[str, ...]:
    """The members among these, by name, each once."""
    return tuple(sorted({member for member in members if member is not None}))
