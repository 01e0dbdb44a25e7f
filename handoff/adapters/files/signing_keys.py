"""Signing key of a process, read from its file."""

from pathlib import Path

from handoff.config import ConfigurationError
from handoff.record.signing import SigningKey


def signing_key(path: Path | None) -> SigningKey:
    """Read the key in the file at ``path``: 64 hexadecimal digits. Raises ``ConfigurationError``, which shows none."""
    if path is None:
        raise ConfigurationError("signing_key_file: required, because this process signs")
    try:
        return SigningKey.from_hex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigurationError(f"signing_key_file: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigurationError(f"signing_key_file: {path} is not 32 bytes in hexadecimal") from None
