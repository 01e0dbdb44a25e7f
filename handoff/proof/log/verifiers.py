"""Keys under which one name's signatures count, by tree size: a key that was replaced counts up to a size.

A name has several keys during and after a rotation (C2SP signed-note: a reader accepts every key that it knows of a
name). The size, and not the time, ends a key: a thief of an old key can claim any time, and a tree of that size is
already cosigned.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from handoff.proof.log.note import NoteKey

ANY_SIZE: Final = 2**63 - 1
"""Above the size of any record: the keys of this size have no end."""


class NoteVerifier(Protocol):
    """Name of a log or a cosigner, with the keys of that name. A ``NoteKey`` is one without an end."""

    @property
    def name(self) -> str:
        """Name on the signature lines."""

    @property
    def public_keys(self) -> tuple[NoteKey, ...]:
        """Every key of the name, the oldest first."""

    def keys_at(self, size: int) -> tuple[NoteKey, ...]:
        """Return the keys that count on a tree of ``size`` entries."""


@dataclass(frozen=True, slots=True)
class EndedKey:
    """A key whose signatures count on trees of at most ``until`` entries."""

    key: NoteKey
    until: int

    @property
    def name(self) -> str:
        """Name of the key."""
        return self.key.name

    @property
    def public_keys(self) -> tuple[NoteKey, ...]:
        """The key itself."""
        return (self.key,)

    def keys_at(self, size: int) -> tuple[NoteKey, ...]:
        """Return the key unless ``size`` is beyond its end."""
        return (self.key,) if size <= self.until else ()


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """Two or more keys of one name, in the order in which they came."""

    parts: tuple[NoteKey | EndedKey, ...]

    @property
    def name(self) -> str:
        """Name of the keys."""
        return self.parts[0].name

    @property
    def public_keys(self) -> tuple[NoteKey, ...]:
        """Every key of the name, the oldest first."""
        return tuple(key for part in self.parts for key in part.public_keys)

    def keys_at(self, size: int) -> tuple[NoteKey, ...]:
        """Return the keys that count at ``size``."""
        return tuple(key for part in self.parts for key in part.keys_at(size))


Verifier = NoteKey | EndedKey | RotatedKey
"""The keys of one name, as a trust file has them."""


def verifier_of(keys: tuple[NoteKey | EndedKey, ...]) -> Verifier:
    """Return the keys of one name as one verifier."""
    return keys[0] if len(keys) == 1 else RotatedKey(keys)


def parts_of(verifier: Verifier) -> tuple[NoteKey | EndedKey, ...]:
    """Return the single keys of ``verifier``, the oldest first."""
    return verifier.parts if isinstance(verifier, RotatedKey) else (verifier,)
