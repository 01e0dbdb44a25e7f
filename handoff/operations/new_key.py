"""A new signing key for a rotation: its file, and the registration that the coordinator submits."""

import secrets
from pathlib import Path

from handoff.adapters.files.private_file import write_private
from handoff.domain.founding import key_registration
from handoff.operations.errors import OperationError
from handoff.record.events.directory import KeyRegistered
from handoff.record.signing import SigningKey


def create_key(path: Path, jurisdiction: str, owner: str) -> tuple[SigningKey, KeyRegistered]:
    """Write a new private key to ``path`` and return it with its registration, which is public.

    Raises ``OperationError`` if the file exists: it may be the only copy of a key in use.
    """
    if path.exists():
        raise OperationError(f"{path} exists. Name a new file: a key that is in use must not be overwritten")
    if not path.parent.is_dir():
        raise OperationError(f"{path.parent} is not a directory. Create it, readable by the process alone")
    key = SigningKey(secrets.token_bytes(32))
    write_private(path, key.seed.hex())
    return key, key_registration(jurisdiction, owner, key)
