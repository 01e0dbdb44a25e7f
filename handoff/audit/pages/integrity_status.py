"""Integrity status of a case: how much of it is anchored, its cosigners, and the time up to which it is proven."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from handoff.judging.verdict_statement import VerdictComparison
from handoff.views.replay.history import History
from handoff.web.pages.names import member_name
from handoff.web.pages.translation import Translation

_MOST_POSITIONS = 20


@dataclass(frozen=True, slots=True)
class IntegrityStatus:
    """One part of the integrity status; ``brief`` is its value in the one line on every page."""

    title: str
    text: str
    level: Literal["good", "part", "none"]
    brief: str = ""


def integrity_status(tr: Translation, history: History, at: datetime) -> tuple[IntegrityStatus, ...]:
    """Return the integrity status of the entries up to ``at``: altered, anchored, witnessed, proven."""
    return (*_differences(tr, history), *_verdicts(tr, history), *_checkpoint_status(tr, history, at))


def _differences(tr: Translation, history: History) -> tuple[IntegrityStatus, ...]:
    if not history.differences:
        return ()
    positions = sorted({one.position for one in history.differences})
    text = tr(
        "The database was changed: it differs from the record at {positions}. Verify a bundle of this case.",
        positions=", ".join(map(str, positions)),
    )
    return (IntegrityStatus(tr("Altered"), text, "none", f"#{positions[0]}" + ("…" if len(positions) > 1 else "")),)


def _verdicts(tr: Translation, history: History) -> tuple[IntegrityStatus, ...]:
    """Return the comparison with the monitor's verdicts on all cases, unless the two are the same."""
    compared = history.checkpoint.verdicts if history.checkpoint is not None else None
    if compared is None or compared.comparison is VerdictComparison.SAME:
        return ()
    if compared.is_alarming:
        text = tr(
            "The monitor judged the first {size} entries of the record and has other verdicts than this database.",
            size=compared.size,
        )
    else:
        text = tr(
            "The verdicts of this database on the first {size} entries cannot be compared with those of the monitor.",
            size=compared.size,
        )
    return (IntegrityStatus(tr("Verdicts"), text, "none" if compared.is_alarming else "part", f"≠ {compared.size}"),)


def _checkpoint_status(tr: Translation, history: History, at: datetime) -> tuple[IntegrityStatus, ...]:
    entries, checkpoint = history.until(at).own, history.checkpoint
    anchored, witnessed, proven = tr("Anchored"), tr("Witnessed"), tr("Proven up to")
    if checkpoint is None:
        missing = tr("There is no checkpoint yet.")
        return tuple(IntegrityStatus(title, missing, "none", tr("no")) for title in (anchored, witnessed, proven))
    covered = sum(checkpoint.includes(entry.position) for entry in entries)
    text = tr(
        "{covered} of {count} entries are covered by checkpoint {size}.",
        covered=covered,
        count=len(entries),
        size=checkpoint.size,
    )
    level: Literal["good", "part"] = "good" if covered == len(entries) else "part"
    statuses = [IntegrityStatus(anchored, text, level, f"{covered}/{len(entries)}")]
    names = ", ".join(member_name(tr, name) for name in checkpoint.cosigners)
    if checkpoint.outside:
        # The cosigners have not seen these entries in this form.
        missing = tr(
            "The tree under the checkpoint does not include the entries {positions} as they are here.",
            positions=", ".join(map(str, sorted(checkpoint.outside)[:_MOST_POSITIONS])),
        )
        return (*statuses, *(IntegrityStatus(title, missing, "none", tr("no")) for title in (witnessed, proven)))
    if checkpoint.is_witnessed:
        text = tr("Cosigned by {names}.", names=names)
        statuses.append(IntegrityStatus(witnessed, text, "good", str(len(checkpoint.cosigners))))
    elif names:
        text = tr("Not enough cosignatures: {names}.", names=names)
        statuses.append(IntegrityStatus(witnessed, text, "part", str(len(checkpoint.cosigners))))
    else:
        statuses.append(IntegrityStatus(witnessed, tr("No cosignatures yet."), "part", "0"))
    if checkpoint.is_witnessed and checkpoint.at is not None:
        time = tr.time(checkpoint.at)
        text = tr("{size} entries of the record, {time}.", size=checkpoint.size, time=time)
        statuses.append(IntegrityStatus(proven, text, "good", time))
    else:
        statuses.append(IntegrityStatus(proven, tr("Nothing yet: not enough cosignatures."), "part", tr("no")))
    return tuple(statuses)
