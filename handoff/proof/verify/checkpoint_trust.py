"""Check of a bundle's checkpoint against the auditor's trust policy: log signature and quorum of cosigners."""

from dataclasses import dataclass
from datetime import datetime

from handoff.proof.log.checkpoint import NotSignedByLog, SignedCheckpoint, cosigned_at, open_checkpoint
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.verify.report import Check, Conclusion, VerificationFinding
from handoff.proof.verify.trust import TrustedLog, TrustPolicy
from handoff.record.topics import MONITOR


class CheckpointDistrusted(Exception):
    """A checkpoint that cannot be trusted. Nothing under it can be verified."""

    def __init__(self, finding: VerificationFinding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class TrustedCheckpoint:
    """A checkpoint signed by its log, its trusted cosigners, and the latest time at which they formed a quorum.

    Agencies check consistency alone. Only the monitor recomputes the tags, so without its cosignature a bundle may lack
    entries of its case.
    """

    log: TrustedLog
    opened: SignedCheckpoint
    cosigners: tuple[str, ...]
    proven_at: datetime | None
    has_quorum: bool
    is_recomputed: bool

    @property
    def is_enough(self) -> bool:
        """True if the quorum of the trust file and the monitor have cosigned."""
        return self.has_quorum and self.is_recomputed

    def finding(self, as_of: datetime | None) -> VerificationFinding | None:
        """Return why the checkpoint does not satisfy the trust policy; None if it does."""
        if not self.has_quorum:
            return VerificationFinding(
                Check.COSIGNATURES,
                "the cosignatures do not reach the quorum of the trust file",
                Conclusion.NOT_PROVABLE,
            )
        if not self.is_recomputed:
            return VerificationFinding(
                Check.COSIGNATURES,
                "the monitor has not cosigned: only it recomputes the tags that show a missing entry",
                Conclusion.NOT_PROVABLE,
            )
        if as_of is not None and (self.proven_at is None or self.proven_at < as_of):
            return VerificationFinding(
                Check.AGE,
                f"nothing is proven as of {as_of.isoformat()}: the newest quorum is older",
                Conclusion.NOT_PROVABLE,
            )
        return None


def check_trust(origin: str, checkpoint: bytes, trust: TrustPolicy) -> TrustedCheckpoint:
    """Check a checkpoint that claims the origin ``origin``. Raises ``CheckpointDistrusted``."""
    log = trust.logs.get(origin)
    if log is None:
        raise CheckpointDistrusted(
            VerificationFinding(Check.TRUST, f"the trust file names no log {origin}", Conclusion.NOT_PROVABLE)
        )
    try:
        opened = open_checkpoint(checkpoint, log.key)
        cosigned = _cosigned(opened, trust)
    except NotSignedByLog as error:
        raise CheckpointDistrusted(
            VerificationFinding(Check.CHECKPOINT, str(error), Conclusion.NOT_PROVABLE)
        ) from error
    except (MalformedNote, InvalidSignature) as error:
        raise CheckpointDistrusted(VerificationFinding(Check.CHECKPOINT, str(error))) from error
    has_quorum, proven_at = trust.quorum.is_met_by(frozenset(cosigned)), trust.proven_at(cosigned)
    monitor = f"handoff/{opened.checkpoint.origin.jurisdiction}/{MONITOR}"
    recomputed = [at for name, at in cosigned.items() if trust.witnesses[name].name == monitor]
    recomputed_at = max(recomputed, default=None)
    if proven_at is not None and recomputed_at is not None:
        proven_at = min(proven_at, recomputed_at)
    # A witness with two keys has two names in the trust file, and is one cosigner.
    cosigners = tuple(dict.fromkeys(trust.witnesses[name].name.rpartition("/")[2] for name in cosigned))
    return TrustedCheckpoint(log, opened, cosigners, proven_at, has_quorum, recomputed_at is not None)


def _cosigned(opened: SignedCheckpoint, trust: TrustPolicy) -> dict[str, datetime]:
    times = ((name, cosigned_at(opened.note, key)) for name, key in trust.witnesses.items())
    return {name: at for name, at in times if at is not None}
