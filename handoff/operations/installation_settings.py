"""An installation as other commands find it: read from its state directory, never written."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from handoff.config import ConfigurationError, PostgresSettings, ProcessSettings, process_settings
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION


@dataclass(frozen=True, slots=True)
class InstallationSettings:
    """What `handoff init` left in ``directory``. Raises ConfigurationError where there is nothing."""

    directory: Path

    @property
    def processes(self) -> tuple[ProcessSettings, ...]:
        """Every process's settings: the exchange, the projection, the monitor, then the members by name."""
        files = sorted((self.directory / "config").glob("*.toml"), key=_order)
        if not files:
            raise ConfigurationError(
                f"{self.directory} holds no jurisdiction: run `handoff up` or `handoff init` first"
            )
        return tuple(process_settings(file) for file in files)

    def process(self, name: str) -> ProcessSettings:
        """One process's settings; raises ConfigurationError naming those that exist."""
        known = {settings.member: settings for settings in self.processes}
        if name not in known:
            raise ConfigurationError(f"there is no process {name!r}; allowed are {', '.join(known)}")
        return known[name]

    def node(self, name: str) -> ProcessSettings:
        """One member's settings."""
        if name in (EXCHANGE, PROJECTION, MONITOR):
            raise ConfigurationError(f"{name} is not a member: name an agency or the coordinator")
        return self.process(name)

    def projection_as(self, role: str) -> PostgresSettings:
        """The timeline's database as its ``owner`` or ``reader``."""
        writer = self.process(PROJECTION).postgres
        user = f"{writer.database}_{role}"
        passwords = json.loads((self.directory / "passwords.json").read_text())["postgres"]
        return writer.model_copy(update={"user": user, "password": SecretStr(passwords[user])})


def url(settings: ProcessSettings) -> str:
    """Where a process serves HTTP."""
    if settings.http is None:
        raise ConfigurationError(f"{settings.member} serves no HTTP")
    return f"http://{settings.http.host}:{settings.http.port}"


def _order(file: Path) -> tuple[int, str]:
    return {EXCHANGE: 0, PROJECTION: 1, MONITOR: 2}.get(file.stem, 3), file.stem
