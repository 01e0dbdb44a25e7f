"""SCRAM-SHA-256 verifiers of PostgreSQL, so that a password is never sent to the server."""

import base64
import hashlib
import hmac
import secrets

_ITERATIONS = 4096
_SALT_BYTES = 16


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return the verifier that PostgreSQL stores for ``password`` (RFC 5803), with a random salt by default.

    ``password`` is ASCII, which SASLprep does not change.
    """
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_base64(salt)}${_base64(stored)}:{_base64(server)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
