"""The view completeness: up to where a case is proven, by whom, and what could not be."""

from datetime import datetime
from enum import StrEnum

from handoff.views.replay.answer import Answer, Row, names
from handoff.views.replay.checkpoint_status import Sealing
from handoff.views.replay.history import History, Told


class Why(StrEnum):
    """Why something is not proven."""

    NO_CHECKPOINT = "no_checkpoint"
    NOT_COVERED = "not_covered"
    NOT_WITNESSED = "not_witnessed"
    UNREADABLE = "unreadable"


class UnprovenRow(Row):
    """An entry of which something is not proven; ``at`` is its record time."""

    at: datetime
    why: Why


class Completeness(Answer[UnprovenRow]):
    """How far the case is proven: ``size`` entries of the record are under the checkpoint, cosigned by ``cosigners``.

    ``end`` is the case's last entry at the moment asked about; ``proven`` says whether all up to there is.
    What a checkpoint cannot show is left to `handoff verify`, which trusts nobody.
    """

    entries: int
    end: int | None
    proven: bool
    origin: str | None
    size: int | None
    witnessed_at: datetime | None
    cosigners: tuple[str, ...]


def completeness(history: History, moment: datetime) -> Completeness:
    """What is proven by now of the case as it stood at ``moment``."""
    sealing, own = history.sealing, history.until(moment).own
    rows = tuple(_row(told, why) for told in own if (why := _objection(told, sealing)) is not None)
    return Completeness(
        moment=moment,
        rows=rows,
        entries=len(own),
        end=own[-1].position if own else None,
        proven=sealing is not None and all(row.why is Why.UNREADABLE for row in rows),
        origin=None if sealing is None else sealing.origin,
        size=None if sealing is None else sealing.size,
        witnessed_at=None if sealing is None else sealing.at,
        cosigners=() if sealing is None else sealing.cosigners,
    )


def _objection(told: Told, sealing: Sealing | None) -> Why | None:
    if sealing is None:
        return Why.NO_CHECKPOINT
    if told.position >= sealing.size:
        return Why.NOT_COVERED
    if not sealing.is_witnessed:
        return Why.NOT_WITNESSED
    return Why.UNREADABLE if told.entry.event is None else None


def _row(told: Told, why: Why) -> UnprovenRow:
    return UnprovenRow(agencies=names(told.emitter), positions=(told.position,), notable=True, at=told.at, why=why)
