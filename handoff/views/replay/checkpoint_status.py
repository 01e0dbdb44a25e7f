"""Checkpoint status of a record: covered size, cosigners and time of the quorum."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from handoff.judging.verdict_statement import ComparedVerdicts
from handoff.proof.verify.checkpoint_trust import TrustedCheckpoint


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """Status of the newest checkpoint of ``size`` entries, and of the record's verdicts.

    ``cosigners`` are the trusted members that cosigned it; ``is_witnessed`` tells whether they form the quorum of
    the trust file. ``at`` is the latest time of a quorum. ``verdicts`` is the comparison of the whole timeline with the
    monitor's verdicts, None before the first one. ``outside`` are the positions of the case and its directory below
    ``size`` that are not included in the tree under the checkpoint, or whose hashes differ from their raw records.
    """

    origin: str
    size: int
    at: datetime | None
    cosigners: tuple[str, ...] = ()
    is_witnessed: bool = False
    verdicts: ComparedVerdicts | None = None
    outside: frozenset[int] = frozenset()

    def includes(self, position: int) -> bool:
        """Return whether the entry was found in the tree under the checkpoint."""
        return position < self.size and position not in self.outside

    @classmethod
    def of(cls, vouched: TrustedCheckpoint, verdicts: ComparedVerdicts | None = None) -> Self:
        """Build the status from a checkpoint that was checked against a trust policy."""
        checkpoint = vouched.opened.checkpoint
        return cls(
            origin=str(checkpoint.origin),
            size=checkpoint.head.size,
            at=vouched.proven_at,
            cosigners=vouched.cosigners,
            is_witnessed=vouched.is_enough,
            verdicts=verdicts,
        )
