"""A new key for a rotation: its file, and the public half that the coordinator registers or the trust file gets."""

import secrets
from pathlib import Path

from handoff.adapters.files.private_file import write_private
from handoff.domain.founding import key_registration
from handoff.operations.errors import OperationError
from handoff.proof.log.checkpoint import Origin, cosigner_key, log_key
from handoff.proof.log.note import NoteKey
from handoff.record.events.directory import KeyRegistered
from handoff.record.signing import SigningKey


def create_key(path: Path, jurisdiction: str, owner: str) -> tuple[SigningKey, KeyRegistered]:
    """Write a new private key to ``path`` and return it with its registration, which is public.

    Raises ``OperationError`` if the file exists: it may be the only copy of a key in use.
    """
    key = _stored_key(path)
    return key, key_registration(jurisdiction, owner, key)


def create_log_key(path: Path, origin: Origin) -> NoteKey:
    """Write a new private key of the record's log to ``path``, as ``create_key`` does. Return its verifier key."""
    return log_key(origin, _stored_key(path).public_key)


def create_witness_key(path: Path, jurisdiction: str, cosigner: str) -> NoteKey:
    """Write a new private key of a cosigner to ``path``, as ``create_key`` does. Return its verifier key."""
    return cosigner_key(jurisdiction, cosigner, _stored_key(path).public_key)


def _stored_key(path: Path) -> SigningKey:
    if path.exists():
        raise OperationError(f"{path} exists. Name a new file: a key that is in use must not be overwritten")
    if not path.parent.is_dir():
        raise OperationError(f"{path.parent} is not a directory. Create it, readable by the process alone")
    key = SigningKey(secrets.token_bytes(32))
    write_private(path, key.seed.hex())
    return key
