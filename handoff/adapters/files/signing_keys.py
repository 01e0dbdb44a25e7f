"""Signing key and secret of a process, each read from its file."""

from pathlib import Path

from handoff.config import ConfigurationError, ProcessSettings
from handoff.domain.own_keys import OwnKeys
from handoff.record.signing import SigningKey
from handoff.views.board.references import BoardReferences

_BYTES = 32


def signing_key(path: Path | None) -> SigningKey:
    """Read the key in the file at ``path``: 64 hexadecimal digits. Raises ``ConfigurationError``, which shows none."""
    return SigningKey(_stored_bytes("signing_key_file", path, "this process signs"))


def own_keys(settings: ProcessSettings) -> OwnKeys:
    """Read the signing keys of a process, as ``signing_key`` does."""
    following = settings.next_signing_key_file
    return OwnKeys(
        settings.member,
        signing_key(settings.signing_key_file),
        signing_key(following) if following is not None else None,
    )


def board_references(settings: ProcessSettings) -> BoardReferences | None:
    """Return the references that a projection makes for the board; None if it has no secret. As ``signing_key`` else.

    The secret does not rotate, unlike the log's key, so that references stay the same.
    """
    path = settings.idempotency_secret_file
    if path is None:
        return None
    return BoardReferences.derived_from(_stored_bytes("idempotency_secret_file", path, "the references need it"))


def idempotency_secret(path: Path | None) -> bytes:
    """Read the secret in the file at ``path``, as ``signing_key`` does."""
    return _stored_bytes("idempotency_secret_file", path, "a node hashes idempotency keys with it")


def _stored_bytes(setting: str, path: Path | None, reason: str) -> bytes:
    if path is None:
        raise ConfigurationError(f"{setting}: required, because {reason}")
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigurationError(f"{setting}: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        found = b""
    if len(found) != _BYTES:
        raise ConfigurationError(f"{setting}: {path} is not {_BYTES} bytes in hexadecimal")
    return found
