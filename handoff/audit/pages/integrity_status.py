"""The integrity strip: what of a case is sealed, who witnessed it, and up to when it is proven."""

from dataclasses import dataclass
from datetime import datetime

from handoff.audit.i18n.translation import Words
from handoff.audit.pages.formatting import member_words
from handoff.audit.pages.rendering import clock_words
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.history import History


@dataclass(frozen=True, slots=True)
class Seal:
    """One part of the strip; ``kind`` is good, part or none."""

    title: str
    says: str
    kind: str


def strip(said: Words, told: History, at: datetime) -> tuple[Seal, Seal, Seal]:
    """What is known of the case's integrity, of the entries up to ``at``."""
    own, sealing = told.until(at).own, told.checkpoint
    if sealing is None:
        nothing = said("There is no checkpoint yet.")
        sealed, witnessed, proven = (
            Seal(said(title), nothing, "none") for title in ("Sealed", "Witnessed", "Proven up to")
        )
        return sealed, witnessed, proven
    under = sum(entry.position < sealing.size for entry in own)
    return _sealed(said, sealing, under, len(own)), _witnessed(said, sealing), _proven(said, sealing)


def _sealed(said: Words, sealing: CheckpointStatus, under: int, of: int) -> Seal:
    says = said("{under} of {of} entries lie under checkpoint {size}.", under=under, of=of, size=sealing.size)
    return Seal(said("Sealed"), says, "good" if under == of else "part")


def _witnessed(said: Words, sealing: CheckpointStatus) -> Seal:
    names = ", ".join(member_words(said, name) for name in sealing.cosigners)
    if sealing.is_witnessed:
        return Seal(said("Witnessed"), said("Cosigned by {names}.", names=names), "good")
    says = said("Cosigned by too few: {names}.", names=names) if names else said("Nobody has cosigned yet.")
    return Seal(said("Witnessed"), says, "part")


def _proven(said: Words, sealing: CheckpointStatus) -> Seal:
    if not sealing.is_witnessed or sealing.at is None:
        return Seal(said("Proven up to"), said("Nothing yet: too few have cosigned."), "part")
    says = said("{size} entries of the record, {time}.", size=sealing.size, time=clock_words(sealing.at))
    return Seal(said("Proven up to"), says, "good")
