"""Answer models of a case's timeline."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from handoff.judging.verdict_statement import VerdictComparison
from handoff.record.delivery import VerdictKind
from handoff.views.replay.answer import Difference, differences_of
from handoff.views.replay.history import History, ReplayedEntry


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class NewestCheckpoint(_Model):
    """The newest checkpoint of the record. It covers the entries at positions below `size`."""

    origin: str
    size: int
    witnessed: bool = Field(
        description="Whether as many cosigners signed it as the trust file requires, and its tree includes every entry "
        "of the case and of the directory below its size"
    )
    proven_at: datetime | None = Field(None, description="Latest time at which enough cosigners vouch for it")
    cosigners: tuple[str, ...] = ()
    verdicts: VerdictComparison | None = Field(
        None,
        description="How the database's verdicts on all entries compare with the monitor's; absent before the first",
    )


class TimelineItem(_Model):
    """An entry of the record about the case. An entry that cannot be parsed has no emitter and no type."""

    position: int
    record_time: datetime
    claimed_time: datetime | None = None
    emitter: str | None = None
    type: str | None = None
    referral: UUID | None = None
    verdict: VerdictKind
    reason: str | None = None
    data: dict[str, Any] = Field(default_factory=dict, description="Codes, ids and times of the event")
    anchored: bool = Field(description="Whether the tree under the newest checkpoint includes the entry")


class CaseTimeline(_Model):
    """The entries of the record about a case, in the record's order, as of a time."""

    case: UUID
    as_of: datetime
    checkpoint: NewestCheckpoint | None = Field(None, description="Absent until there is a checkpoint")
    entries: tuple[TimelineItem, ...]
    differs: tuple[Difference, ...] | None = Field(
        None, description="Values of the database that differ from the raw records; absent if there are none"
    )


def case_timeline(history: History, at: datetime) -> CaseTimeline:
    """Return the timeline of a case at a time."""
    newest = history.checkpoint
    checkpoint = None
    if newest is not None:
        checkpoint = NewestCheckpoint(
            origin=newest.origin,
            size=newest.size,
            witnessed=newest.is_witnessed and not newest.outside,
            proven_at=newest.at,
            cosigners=newest.cosigners,
            verdicts=None if newest.verdicts is None else newest.verdicts.comparison,
        )
    return CaseTimeline(
        case=history.case_id,
        as_of=at,
        checkpoint=checkpoint,
        entries=tuple(_item(entry, anchored=history.is_anchored(entry.position)) for entry in history.until(at).own),
        differs=differences_of(history),
    )


def _item(entry: ReplayedEntry, *, anchored: bool) -> TimelineItem:
    event = entry.decoded.event
    return TimelineItem(
        position=entry.position,
        record_time=entry.at,
        claimed_time=event.time if event is not None else None,
        emitter=entry.emitter,
        type=event.type if event is not None else None,
        referral=entry.referral_id,
        verdict=entry.verdict.kind,
        reason=entry.verdict.reason,
        data=event.data.model_dump(mode="json", exclude_none=True) if event is not None else {},
        anchored=anchored,
    )
