"""Settings of an installation, as operator commands find them: read, never written.

One path names them. It is one of:

- a state directory of `handoff init` or `handoff up`: ``config/*.toml``, ``passwords.json``, ``plan.toml``;
- a directory with one TOML file for each process, such as a mounted Secret, with the other two files beside them;
- the TOML file of one process, as in its pod. Only here does the environment override the file (HANDOFF_KAFKA__PASSWORD
  is ``kafka.password``): in a directory, one variable would override the settings of every process.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from handoff.config import (
    CheckpointSettings,
    ConfigurationError,
    ListenerSettings,
    PostgresSettings,
    ProcessSettings,
    jurisdiction_plan,
    process_settings,
)
from handoff.proof.log.checkpoint import Origin
from handoff.record.topics import AUDIT, EXCHANGE, MONITOR, PROJECTION

OWNER_PASSWORD_VARIABLE = "HANDOFF_TIMELINE_OWNER_PASSWORD"  # noqa: S105 (a variable's name)
_WILDCARD_HOSTS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared, never bound)
_OTHER_FILES = frozenset({"plan.toml", "operator.toml"})


class SettingsNotFound(ConfigurationError):
    """Settings that a command needs and that are in none of the searched places. The message lists the places."""


@dataclass(frozen=True, slots=True)
class InstallationSettings:
    """The settings at ``location``. Every member may raise ConfigurationError."""

    location: Path

    @property
    def directory(self) -> Path:
        """The directory of the settings."""
        return self.location.parent if self.location.is_file() else self.location

    @property
    def is_one_process(self) -> bool:
        """Return whether the settings are those of one process alone."""
        return self.location.is_file()

    @property
    def processes(self) -> tuple[ProcessSettings, ...]:
        """Settings of each process: exchange, projection, monitor, then the members by name."""
        return self.in_order(map(self.read, self.files))

    def read(self, file: Path) -> ProcessSettings:
        """Read one of ``files``."""
        return process_settings(file, environment=self.is_one_process)

    @staticmethod
    def in_order(processes: Iterable[ProcessSettings]) -> tuple[ProcessSettings, ...]:
        """Return processes in the order of ``processes``."""
        return tuple(sorted(processes, key=_order))

    @property
    def files(self) -> tuple[Path, ...]:
        """The TOML file of each process."""
        if self.is_one_process:
            return (self.location,)
        config = self.directory / "config"
        folder = config if config.is_dir() else self.directory
        files = [file for file in sorted(folder.glob("*.toml")) if file.name not in _OTHER_FILES]
        if not files:
            raise SettingsNotFound(
                f"no installation found. Looked for: {self.location} as the file of one process, "
                f"{self.directory / 'config'}/*.toml, {self.directory}/*.toml. "
                "Name one of them with --state or HANDOFF_CONFIG; `handoff init` and `handoff up` create them"
            )
        return tuple(files)

    def process(self, name: str) -> ProcessSettings:
        """Settings of one process. Raises SettingsNotFound, which names the processes that exist."""
        known = {settings.member: settings for settings in self.processes}
        if name not in known:
            raise SettingsNotFound(f"{self.location} has no process {name!r}; it has: {', '.join(known)}")
        return known[name]

    def node(self, name: str) -> ProcessSettings:
        """Settings of a member's node."""
        if name in (EXCHANGE, PROJECTION, MONITOR):
            raise ConfigurationError(f"{name} is not a member: name an agency or the coordinator")
        return self.process(name)

    @property
    def origin(self) -> Origin:
        """Origin of the jurisdiction's log, which all processes agree on."""
        settings = self.processes[0]
        return Origin(settings.jurisdiction, settings.generation)

    @property
    def checkpoints(self) -> CheckpointSettings:
        """Section ``[checkpoints]`` of the projection, or of the first process that has one."""
        found = sorted(self.processes, key=lambda settings: settings.member != PROJECTION)
        for settings in found:
            if settings.checkpoints is not None:
                return settings.checkpoints
        raise SettingsNotFound(f"no section [checkpoints] in the settings of {_names(found)} at {self.location}")

    @property
    def timeline_reader(self) -> PostgresSettings:
        """Login that may read the timeline's database."""
        processes = {settings.member: settings for settings in self.processes}
        projection = processes.get(PROJECTION)
        if projection is not None and (stored := self._stored_login(projection, "reader")) is not None:
            return stored
        audit = processes.get(AUDIT)
        if audit is not None and audit.timeline is not None:
            return audit.timeline
        if projection is not None:
            return projection.postgres
        raise SettingsNotFound(
            f"no login for the timeline's database. Looked for: the settings of {PROJECTION} and a section [timeline], "
            f"which the audit has. {self.location} has the settings of: {', '.join(processes)}"
        )

    @property
    def timeline_owner(self) -> PostgresSettings:
        """Login that owns the timeline's schema, which `handoff projection rebuild` replaces."""
        projection = self.process(PROJECTION)
        if (password := os.environ.get(OWNER_PASSWORD_VARIABLE)) is not None:
            return _as_role(projection, "owner", password)
        if (stored := self._stored_login(projection, "owner")) is not None:
            return stored
        raise SettingsNotFound(
            f"no password for the owner of the timeline's database. Looked for: {OWNER_PASSWORD_VARIABLE}, "
            f"{self.directory / 'passwords.json'}"
        )

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of all members, also of those without a process, from the plan beside the settings."""
        plan = self.directory / "plan.toml"
        if not plan.exists():
            raise SettingsNotFound(f"no list of the members. Looked for: {plan}; copy the jurisdiction's plan there")
        return jurisdiction_plan(plan).member_ids

    def _stored_login(self, projection: ProcessSettings, role: str) -> PostgresSettings | None:
        path = self.directory / "passwords.json"
        if not path.exists():
            return None
        passwords: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))["postgres"]
        password = passwords.get(f"{projection.postgres.database}_{role}")
        return None if password is None else _as_role(projection, role, password)


def listens_everywhere(settings: ProcessSettings) -> bool:
    """Return whether a process serves health on every address of its machine, so that its settings name none."""
    return settings.health.host in _WILDCARD_HOSTS


def process_url(settings: ProcessSettings) -> str:
    """Base URL of a process's API, as seen from its own machine."""
    if settings.http is None:
        raise ConfigurationError(f"http: {settings.member} has no section [http], so it serves no API")
    return _url(settings.http, settings.http.port)


def health_url(settings: ProcessSettings) -> str:
    """Base URL of a process's readiness and metrics, as seen from its own machine."""
    if settings.health.port is None:
        raise ConfigurationError(f"health.port: {settings.member} has none, so it serves no readiness")
    return _url(settings.health, settings.health.port)


def _url(listener: ListenerSettings, port: int) -> str:
    host = "127.0.0.1" if listener.host in _WILDCARD_HOSTS else listener.host
    return f"{'http' if listener.certificate_file is None else 'https'}://{host}:{port}"


def _as_role(projection: ProcessSettings, role: str, password: str) -> PostgresSettings:
    user = f"{projection.postgres.database}_{role}"
    return projection.postgres.model_copy(update={"user": user, "password": SecretStr(password)})


def _names(processes: list[ProcessSettings]) -> str:
    return ", ".join(settings.member for settings in processes)


def _order(settings: ProcessSettings) -> tuple[int, str]:
    return {EXCHANGE: 0, PROJECTION: 1, MONITOR: 2}.get(settings.member, 3), settings.member
