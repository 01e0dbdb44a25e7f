"""View *completeness*: the entries proven by a witnessed checkpoint, and those that are not."""

from datetime import datetime
from enum import StrEnum

from handoff.views.replay.answer import Answer, AnswerRow, distinct_members
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.history import History, ReplayedEntry


class Why(StrEnum):
    """Reason why an entry is not proven."""

    NO_CHECKPOINT = "no_checkpoint"
    NOT_COVERED = "not_covered"
    NOT_INCLUDED = "not_included"
    NOT_WITNESSED = "not_witnessed"
    UNREADABLE = "unreadable"


class UnprovenRow(AnswerRow):
    """An entry that is not fully proven; ``at`` is its record time."""

    at: datetime
    why: Why


class Completeness(Answer[UnprovenRow]):
    """Proven extent of the case: the checkpoint covers ``size`` entries of the record and is cosigned by ``cosigners``.

    ``end`` is the case's last entry at the moment; ``proven`` tells whether every entry up to it is proven.
    Only `handoff verify` proves it without trust in this server.
    """

    entries: int
    end: int | None
    proven: bool
    origin: str | None
    size: int | None
    witnessed_at: datetime | None
    cosigners: tuple[str, ...]


def completeness(history: History, moment: datetime) -> Completeness:
    """Return what the newest checkpoint proves of the case as of ``moment``."""
    checkpoint, own = history.checkpoint, history.until(moment).own
    rows = tuple(_row(entry, why) for entry in own if (why := _objection(entry, checkpoint)) is not None)
    return Completeness(
        moment=moment,
        rows=rows,
        entries=len(own),
        end=own[-1].position if own else None,
        proven=checkpoint is not None and all(row.why is Why.UNREADABLE for row in rows),
        origin=None if checkpoint is None else checkpoint.origin,
        size=None if checkpoint is None else checkpoint.size,
        witnessed_at=None if checkpoint is None else checkpoint.at,
        cosigners=() if checkpoint is None else checkpoint.cosigners,
    )


def _objection(entry: ReplayedEntry, checkpoint: CheckpointStatus | None) -> Why | None:
    if checkpoint is None:
        return Why.NO_CHECKPOINT
    if entry.position >= checkpoint.size:
        return Why.NOT_COVERED
    if not checkpoint.includes(entry.position):
        return Why.NOT_INCLUDED
    if not checkpoint.is_witnessed:
        return Why.NOT_WITNESSED
    return Why.UNREADABLE if entry.decoded.event is None else None


def _row(entry: ReplayedEntry, why: Why) -> UnprovenRow:
    return UnprovenRow(
        agencies=distinct_members(entry.emitter), positions=(entry.position,), notable=True, at=entry.at, why=why
    )
