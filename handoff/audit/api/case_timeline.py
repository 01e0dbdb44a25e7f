"""What the audit's API answers with, beside the answers to the auditor's questions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from handoff.record.delivery import VerdictKind
from handoff.views.replay.history import History, ReplayedEntry


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sealed(_Answer):
    """The newest checkpoint: what lies below `size` is sealed; `witnessed` says whether enough have cosigned it."""

    origin: str
    size: int
    witnessed: bool
    proven_at: datetime | None = Field(None, description="The latest moment for which enough cosigners vouch")
    cosigners: tuple[str, ...] = ()


class TimelineItem(_Answer):
    """An entry of the record about the case; what cannot be read has neither emitter nor type."""

    position: int
    record_time: datetime
    claimed_time: datetime | None = None
    emitter: str | None = None
    type: str | None = None
    referral: UUID | None = None
    verdict: VerdictKind
    reason: str | None = None
    data: dict[str, Any] = Field(default_factory=dict, description="Codes, ids and times, as the institution said them")
    sealed: bool = Field(description="Whether a checkpoint covers it")


class CaseTimeline(_Answer):
    """What stands on the record about a case, in its order, as of a moment."""

    case: UUID
    as_of: datetime
    sealing: Sealed | None = Field(None, description="Absent until there is a checkpoint")
    entries: tuple[TimelineItem, ...]


def case_timeline(told: History, at: datetime) -> CaseTimeline:
    """The timeline of a case at a moment."""
    size = told.checkpoint.size if told.checkpoint is not None else 0
    return CaseTimeline(
        case=told.case_id,
        as_of=at,
        sealing=sealed(told),
        entries=tuple(_item(entry, size) for entry in told.until(at).own),
    )


def sealed(told: History) -> Sealed | None:
    """What is known of the newest checkpoint."""
    newest = told.checkpoint
    if newest is None:
        return None
    return Sealed(
        origin=newest.origin,
        size=newest.size,
        witnessed=newest.is_witnessed,
        proven_at=newest.at,
        cosigners=newest.cosigners,
    )


def _item(told: ReplayedEntry, size: int) -> TimelineItem:
    event = told.decoded.event
    return TimelineItem(
        position=told.position,
        record_time=told.at,
        claimed_time=event.time if event is not None else None,
        emitter=told.emitter,
        type=event.type if event is not None else None,
        referral=told.referral_id,
        verdict=told.verdict.kind,
        reason=told.verdict.reason,
        data=event.data.model_dump(mode="json", exclude_none=True) if event is not None else {},
        sealed=told.position < size,
    )
