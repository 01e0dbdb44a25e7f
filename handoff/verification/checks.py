"""Signatures to verify, taken from messages before they are judged."""

from collections.abc import Mapping
from typing import NamedTuple

from handoff.domain.directory import Key
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER, Message

Keys = Mapping[str, Key]
"""Signing keys by id."""


class SignatureCheck(NamedTuple):
    """Arguments of ``signing.verifies``."""

    public_key: bytes
    body: bytes
    signature: bytes


def check_of(message: Message, keys: Keys) -> SignatureCheck | None:
    """Return the signature of ``message`` and the key that it names; None if ``keys`` lacks that key."""
    hint, signature = message.header(KEY_ID_HEADER), message.header(SIGNATURE_HEADER)
    if hint is None or signature is None or message.value is None:
        return None
    key = keys.get(hint.decode("ascii", "replace"))
    return SignatureCheck(bytes.fromhex(key.public_key), message.value, signature) if key is not None else None
