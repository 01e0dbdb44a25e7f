"""Keys in force at a position, folded from the record's directory events.

The verifier folds them from the founding event named in the trust file and accepts no other statement about keys.
It implements the directory's rules independently of their code; a test compares the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from handoff.record import formats, signing
from handoff.record.codes import KeyUse
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.events import directory as d

MAX_KEYS_IN_FORCE: Final = 4
"""Keys of one use that an owner may have in force."""
RETIREMENT_GRACE_MS: Final = 24 * 3_600_000
"""Grace period in which signatures of a retired key are still accepted."""


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A member's key. ``retired_ms`` is the record time of its retirement, in ms since 1970-01-01 UTC."""

    owner: str
    public_key: bytes
    use: KeyUse = KeyUse.SIGNING
    self_registered: bool = False
    retired_ms: int | None = None
    revoked: bool = False

    def finding(self, at_ms: int) -> str | None:
        """Return why a signature by this key is invalid at that record time; None if it is valid."""
        if self.revoked:
            return "was revoked before"
        if self.use is not KeyUse.SIGNING:
            return "is not for signing"
        return None if self.is_in_force(at_ms) else "was retired more than 24 hours before"

    def is_in_force(self, at_ms: int) -> bool:
        """Return whether the key is in use at that record time."""
        is_over = self.retired_ms is not None and at_ms > self.retired_ms + RETIREMENT_GRACE_MS
        return not self.revoked and not is_over


@dataclass(frozen=True, slots=True)
class Keyring:
    """Members and keys by id at a position of the record."""

    jurisdiction: str
    founded: bool = False
    coordinator: str = ""
    members: frozenset[str] = frozenset()
    keys: Mapping[str, RegisteredKey] = field(default_factory=dict)

    def apply(self, event: Event[Any], at_ms: int) -> "Keyring":
        """Return the keyring after ``event``, an authentic first occurrence; itself if the event changes no key."""
        fold = _FOLDS.get(type(event.data))
        return self if fold is None else fold(self, event, at_ms)

    def with_key(self, key_id: str, key: RegisteredKey) -> "Keyring":
        return replace(self, keys={**self.keys, key_id: key})


def _founded(known: Keyring, event: Event[Any], _at_ms: int) -> Keyring:
    if known.founded:
        return known
    founding: d.JurisdictionFounded = event.data
    first = ((founding.coordinator, founding.coordinator_key), (EXCHANGE, founding.exchange_key))
    keys = {signing.key_id(bytes.fromhex(key)): RegisteredKey(owner, bytes.fromhex(key)) for owner, key in first}
    return Keyring(known.jurisdiction, True, founding.coordinator, frozenset({founding.coordinator}), keys)  # noqa: FBT003 - founded


def _admitted(known: Keyring, event: Event[Any], _at_ms: int) -> Keyring:
    if event.emitter != known.coordinator or event.data.member == EXCHANGE:
        return known
    return replace(known, members=known.members | {event.data.member})


def _registered(known: Keyring, event: Event[Any], at_ms: int) -> Keyring:
    registration: d.KeyRegistered = event.data
    public_key = bytes.fromhex(registration.public_key)
    key_id = signing.key_id(public_key)
    owner, use = registration.member, registration.use
    is_own = event.emitter == owner
    is_permitted = event.emitter == known.coordinator or (is_own and use is not KeyUse.SIGNING)
    if not is_permitted or owner not in known.members | {EXCHANGE} or key_id in known.keys:
        return known
    of_owner = [key for key in known.keys.values() if key.owner == owner and key.use is use and key.is_in_force(at_ms)]
    if len(of_owner) >= MAX_KEYS_IN_FORCE or not _is_held(known.jurisdiction, registration, public_key):
        return known
    return known.with_key(key_id, RegisteredKey(owner, public_key, use, self_registered=is_own))


def _is_held(jurisdiction: str, registration: d.KeyRegistered, public_key: bytes) -> bool:
    statement = signing.possession_statement(jurisdiction, registration.member, public_key)
    possession = bytes.fromhex(registration.possession)
    return signing.is_valid_public_key(public_key) and signing.verifies(
        public_key, statement, possession, formats.KEY_POSSESSION
    )


def _revoked(known: Keyring, event: Event[Any], _at_ms: int) -> Keyring:
    revoked = known.keys.get(event.data.key)
    if revoked is None or event.emitter != known.coordinator:
        return known
    ended = {event.data.key}
    if revoked.use is KeyUse.SIGNING:
        of_owner = ((key_id, key) for key_id, key in known.keys.items() if key.owner == revoked.owner)
        ended |= {key_id for key_id, key in of_owner if key.self_registered and key.use is not KeyUse.SIGNING}
    keys = {key_id: replace(key, revoked=True) if key_id in ended else key for key_id, key in known.keys.items()}
    return replace(known, keys=keys)


def _retired(known: Keyring, event: Event[Any], at_ms: int) -> Keyring:
    key = known.keys.get(event.data.key)
    if key is None or event.emitter not in {key.owner, known.coordinator} or key.revoked or key.retired_ms is not None:
        return known
    return known.with_key(event.data.key, replace(key, retired_ms=at_ms))


_FOLDS: Mapping[type, Callable[[Keyring, Event[Any], int], Keyring]] = {
    d.JurisdictionFounded: _founded,
    d.AgencyAdmitted: _admitted,
    d.KeyRegistered: _registered,
    d.KeyRevoked: _revoked,
    d.KeyRetired: _retired,
}
