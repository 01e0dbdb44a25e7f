"""Signing keys of one process, and which of them the record lets it sign with."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from handoff.domain.directory import Directory
from handoff.record.signing import SigningKey


class KeyStatus(StrEnum):
    """Status of a process's own keys on the record. With *revoked* and *retired*, no signature counts any more."""

    IN_FORCE = "in_force"
    UNREGISTERED = "unregistered"
    RETIRED = "retired"
    REVOKED = "revoked"

    @property
    def has_ended(self) -> bool:
        """True if the process needs another key before anything that it signs counts."""
        return self in (KeyStatus.RETIRED, KeyStatus.REVOKED)


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The signing keys of ``owner``: the current one and, during a rotation, the next.

    The next key is used as soon as the record has it in force, so a rotation needs no restart at a certain moment.
    """

    owner: str
    current: SigningKey
    next: SigningKey | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the keys, the preferred one first."""
        return tuple(key.id for key in self._preferred)

    @property
    def _preferred(self) -> tuple[SigningKey, ...]:
        return (self.current,) if self.next is None else (self.next, self.current)

    def signing(self, directory: Directory, at: datetime) -> SigningKey | None:
        """Return the key to sign with at ``at``; None if no key is in force."""
        for key in self._preferred:
            known = directory.signing_key(key.id, at)
            if known is not None and known.owner == self.owner:
                return key
        return None

    def signing_before(self, directory: Directory, at: datetime) -> SigningKey:
        """Return the key that readers know before they fold an entry with the record time ``at``.

        An entry is delivered to a reader whose directory ends before it. So the next key signs only entries later than
        its own registration, while ``directory`` may be ahead of the reader's.
        """
        known = directory.keys.get(self.next.id) if self.next is not None else None
        if self.next is None or known is None or known.owner != self.owner:
            return self.current
        is_known = known.registered_at is None or at > known.registered_at
        return self.next if is_known and known.is_in_force(at) else self.current

    def status(self, directory: Directory, at: datetime) -> KeyStatus:
        """Return the best status that one of the keys has."""
        if self.signing(directory, at) is not None:
            return KeyStatus.IN_FORCE
        known = [directory.keys.get(key) for key in self.ids]
        if any(key is None or key.owner != self.owner for key in known):
            return KeyStatus.UNREGISTERED
        return KeyStatus.REVOKED if all(key is not None and key.revoked for key in known) else KeyStatus.RETIRED
