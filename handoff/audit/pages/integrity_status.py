"""Integrity status of a case: how much of it is anchored, its cosigners, and the time up to which it is proven."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from handoff.audit.pages.formatting import member_name
from handoff.views.replay.history import History
from handoff.web.pages.translation import Translation


@dataclass(frozen=True, slots=True)
class IntegrityStatus:
    """One part of the integrity status."""

    title: str
    text: str
    level: Literal["good", "part", "none"]


def integrity_status(tr: Translation, history: History, at: datetime) -> tuple[IntegrityStatus, ...]:
    """Return the integrity status of the entries up to ``at``: altered, anchored, witnessed, proven."""
    return (*_differences(tr, history), *_checkpoint_status(tr, history, at))


def _differences(tr: Translation, history: History) -> tuple[IntegrityStatus, ...]:
    if not history.differences:
        return ()
    positions = sorted({one.position for one in history.differences})
    text = tr(
        "The database was changed: it differs from the record at {positions}. Verify a bundle of this case.",
        positions=", ".join(map(str, positions)),
    )
    return (IntegrityStatus(tr("Altered"), text, "none"),)


def _checkpoint_status(tr: Translation, history: History, at: datetime) -> tuple[IntegrityStatus, ...]:
    entries, checkpoint = history.until(at).own, history.checkpoint
    anchored, witnessed, proven = tr("Anchored"), tr("Witnessed"), tr("Proven up to")
    if checkpoint is None:
        missing = tr("There is no checkpoint yet.")
        return tuple(IntegrityStatus(title, missing, "none") for title in (anchored, witnessed, proven))
    covered = sum(entry.position < checkpoint.size for entry in entries)
    text = tr(
        "{covered} of {count} entries are covered by checkpoint {size}.",
        covered=covered,
        count=len(entries),
        size=checkpoint.size,
    )
    statuses = [IntegrityStatus(anchored, text, "good" if covered == len(entries) else "part")]
    names = ", ".join(member_name(tr, name) for name in checkpoint.cosigners)
    if checkpoint.is_witnessed:
        statuses.append(IntegrityStatus(witnessed, tr("Cosigned by {names}.", names=names), "good"))
    elif names:
        text = tr("Not enough cosignatures: {names}.", names=names)
        statuses.append(IntegrityStatus(witnessed, text, "part"))
    else:
        statuses.append(IntegrityStatus(witnessed, tr("No cosignatures yet."), "part"))
    if checkpoint.is_witnessed and checkpoint.at is not None:
        text = tr("{size} entries of the record, {time}.", size=checkpoint.size, time=tr.time(checkpoint.at))
        statuses.append(IntegrityStatus(proven, text, "good"))
    else:
        statuses.append(IntegrityStatus(proven, tr("Nothing yet: not enough cosignatures."), "part"))
    return tuple(statuses)
