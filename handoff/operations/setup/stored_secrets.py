"""Keys and tokens in a state directory. Each is created when it is first requested."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from handoff.adapters.files.private_file import write_private
from handoff.record.signing import SigningKey


@dataclass(frozen=True, slots=True)
class StoredSecrets:
    """Secrets in ``directory``, in files that only their owner may read."""

    directory: Path

    def key_file(self, owner: str) -> Path:
        """File of the private key of ``owner``."""
        path = self.directory / "keys" / f"{owner}.key"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, secrets.token_hex(32))
        return path

    def key(self, owner: str) -> SigningKey:
        """Private key of ``owner``."""
        return SigningKey.from_hex(self.key_file(owner).read_text(encoding="utf-8"))

    def token(self, bearer: str) -> str:
        """Bearer token of ``bearer``."""
        path = self.directory / "tokens.json"
        tokens: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if bearer not in tokens:
            tokens[bearer] = secrets.token_urlsafe(24)
            write_private(path, json.dumps(tokens, indent=2))
        return tokens[bearer]
