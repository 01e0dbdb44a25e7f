"""Common shape of the auditor's answers: rows that cite the entries they rest on, and a count of notable rows."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, computed_field

from handoff.record.delivery import VerdictKind
from handoff.views.replay.history import History, ReplayedEntry


class AnswerPart(BaseModel):
    """Base of all parts of an answer: codes, ids, times in UTC, durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Difference(AnswerPart):
    """A value of the timeline's database that differs from the raw records. The answer does not rest on it."""

    position: int
    column: str
    stored: str | None = None
    computed: str | None = None


def differences_of(history: History) -> tuple[Difference, ...] | None:
    """Return the differences between database and raw records; None if there are none."""
    found = tuple(Difference(**asdict(one)) for one in history.differences)
    return found or None


class AnswerRow(AnswerPart):
    """One row of an answer. ``agencies``: the members concerned; ``positions``: offsets of the entries that show it.

    ``notable`` marks rows that an auditor should inspect first.
    """

    agencies: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    notable: bool = False

    def concerns(self, agency: str) -> bool:
        """Return whether the row concerns ``agency``."""
        return agency in self.agencies


RowT = TypeVar("RowT", bound=AnswerRow)


class Answer(AnswerPart, Generic[RowT]):
    """Answer to one question as of ``moment`` (record time)."""

    moment: datetime
    rows: tuple[RowT, ...] = ()
    differs: tuple[Difference, ...] | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def notable_count(self) -> int:
        """Number of notable rows."""
        return sum(row.notable for row in self.rows)

    def of(self, agency: str | None) -> Self:
        """Restrict the answer to rows that concern ``agency``; None keeps all."""
        if agency is None:
            return self
        return self.model_copy(update={"rows": tuple(row for row in self.rows if row.concerns(agency))})


class EntrySummary(AnswerPart):
    """Summary of one entry: position, emitter, type and verdict."""

    position: int
    at: datetime
    emitter: str | None
    type: str | None
    referral: UUID | None
    outcome: VerdictKind
    reason: str | None


def summarise(entry: ReplayedEntry) -> EntrySummary:
    """Summarise ``entry``."""
    return EntrySummary(
        position=entry.position,
        at=entry.at,
        emitter=entry.emitter,
        type=entry.event_type,
        referral=entry.referral_id,
        outcome=entry.verdict.kind,
        reason=entry.verdict.reason,
    )


def seconds(since: datetime, until: datetime) -> float:
    """Duration in seconds, at least 0."""
    return max(until - since, timedelta()) / timedelta(seconds=1)


def seconds_or_none(since: datetime | None, until: datetime | None) -> float | None:
    """Duration in seconds, or None if either moment is unknown."""
    return seconds(since, until) if since is not None and until is not None else None


def distinct_members(*members: str | None) -> tuple[str, ...]:
    """Return the distinct members, sorted, without None."""
    return tuple(sorted({member for member in members if member is not None}))
