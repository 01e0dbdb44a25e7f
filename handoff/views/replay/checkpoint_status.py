"""What a checkpoint proves of a record: up to which entry, signed and cosigned by whom, as of when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from handoff.proof.verify.checkpoint_trust import TrustedCheckpoint


@dataclass(frozen=True, slots=True)
class Sealing:
    """The newest checkpoint: it covers the positions below ``size``.

    ``cosigners`` are the monitor and the agencies that signed it too; ``is_witnessed`` says whether they are as
    many as the trust file asks for. ``at`` is when the last of them that counts did.
    """

    origin: str
    size: int
    at: datetime | None
    cosigners: tuple[str, ...] = ()
    is_witnessed: bool = False

    @classmethod
    def of(cls, vouched: TrustedCheckpoint) -> Self:
        """What a checkpoint proves in the eyes of the trust file by which it was vouched for."""
        checkpoint = vouched.opened.checkpoint
        return cls(
            origin=str(checkpoint.origin),
            size=checkpoint.head.size,
            at=vouched.proven_at,
            cosigners=vouched.cosigners,
            is_witnessed=vouched.is_enough,
        )
