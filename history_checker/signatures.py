"""Signatures by PyNaCl alone: DSSE over the exact bytes, and the keys that the record registered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from history_checker.parsing import Event, sha256
from history_checker.snapshot import Headers

_PAYLOAD_TYPE = b"application/vnd.handoff.event+json; v=1"
_POSSESSION_TYPE = b"application/vnd.handoff.key-possession; v=1"
_RETIREMENT_GRACE = timedelta(hours=24)


@dataclass(slots=True)
class MemberKey:
    """Public key as the record registered it."""

    owner: str
    public: bytes
    use: str = "signing"
    self_registered: bool = False
    registered_at: datetime | None = None
    retired_at: datetime | None = None
    revoked: bool = False

    def is_in_force(self, at: datetime) -> bool:
        """Return whether the key is in use at ``at``: a retired key has a day of grace."""
        if self.revoked:
            return False
        return self.retired_at is None or at <= self.retired_at + _RETIREMENT_GRACE


def key_id(public: bytes) -> str:
    """Return the identifier of a public key."""
    return sha256(b"\x01" + public)


def is_signed(public: bytes, body: bytes, signature: bytes, payload_type: bytes = _PAYLOAD_TYPE) -> bool:
    """Return whether ``signature`` is the DSSE signature of ``body`` by this key."""
    signed = b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type, len(body), body)
    try:
        VerifyKey(public).verify(signed, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def proves_possession(jurisdiction: str, member: str, public: bytes, proof: bytes) -> bool:
    """Return whether a key signed its own registration."""
    return is_signed(public, f"{jurisdiction}\n{member}\n{public.hex()}\n".encode(), proof, _POSSESSION_TYPE)


def authentication_failure(
    keys: Mapping[str, MemberKey], event: Event, value: bytes, headers: Headers, at: datetime
) -> str | None:
    """Return the reason why an entry is not signed by its emitter at ``at``; None if it is."""
    given = dict(headers)
    key_hint, signature = given.get("key-id"), given.get("signature")
    if len(given) < len(headers) or key_hint is None or signature is None:
        return "signature"
    key = keys.get(key_hint.decode("ascii", "replace"))
    if key is None or key.use != "signing" or not key.is_in_force(at):
        return "key_not_in_force"
    if key.owner != event.emitter:
        return "key_not_owner"
    return None if is_signed(key.public, value, signature) else "signature"
