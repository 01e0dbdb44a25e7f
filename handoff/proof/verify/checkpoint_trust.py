"""Who stands by a bundle's checkpoint: its log, and enough of those whom the auditor trusts."""

from dataclasses import dataclass
from datetime import datetime

from handoff.proof.log.checkpoint import NotSigned, SignedCheckpoint, cosigned_at, open_checkpoint
from handoff.proof.log.note import NotANote, NotGenuine
from handoff.proof.verify.report import Check, Objection, Outcome
from handoff.proof.verify.trust import Trust, TrustedLog


class Distrusted(Exception):
    """A checkpoint that cannot be relied on at all: nothing that stands under it means anything."""

    def __init__(self, objection: Objection) -> None:
        super().__init__(objection.sentence)
        self.objection = objection


@dataclass(frozen=True, slots=True)
class Vouched:
    """A checkpoint that its log signed, who cosigned it, and until when enough of them vouched for it."""

    log: TrustedLog
    opened: SignedCheckpoint
    cosigners: tuple[str, ...]
    proven_at: datetime | None
    is_enough: bool

    def objection(self, as_of: datetime | None) -> Objection | None:
        """Why it does not prove enough; None if it does."""
        if not self.is_enough:
            return Objection(Check.COSIGNATURES, "too few have cosigned whom the trust file asks for", Outcome.UNPROVEN)
        if as_of is not None and (self.proven_at is None or self.proven_at < as_of):
            return Objection(Check.AGE, f"nothing is proven about {as_of.isoformat()}", Outcome.UNPROVEN)
        return None


def vouch(origin: str, checkpoint: bytes, trust: Trust) -> Vouched:
    """What the trust file makes of a checkpoint that is said to be of ``origin``; raises ``Distrusted``."""
    log = trust.logs.get(origin)
    if log is None:
        raise Distrusted(Objection(Check.TRUST, f"the trust file names no log {origin}", Outcome.UNPROVEN))
    try:
        opened = open_checkpoint(checkpoint, log.key)
        cosigned = _cosigned(opened, trust)
    except NotSigned as error:
        raise Distrusted(Objection(Check.CHECKPOINT, str(error), Outcome.UNPROVEN)) from error
    except (NotANote, NotGenuine) as error:
        raise Distrusted(Objection(Check.CHECKPOINT, str(error))) from error
    is_enough = trust.quorum.is_met_by(frozenset(cosigned))
    return Vouched(log, opened, tuple(cosigned), trust.proven_at(cosigned), is_enough)


def _cosigned(opened: SignedCheckpoint, trust: Trust) -> dict[str, datetime]:
    times = ((name, cosigned_at(opened.note, key)) for name, key in trust.witnesses.items())
    return {name: at for name, at in times if at is not None}
