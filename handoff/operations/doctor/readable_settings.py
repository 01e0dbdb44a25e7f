"""Settings of an installation without the files that cannot be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from handoff.config import ConfigurationError, ProcessSettings
from handoff.operations.installation_settings import InstallationSettings


@dataclass(frozen=True)
class ReadableSettings(InstallationSettings):
    """The settings at ``location`` that can be read. ``unreadable`` has the error of each other file."""

    @property
    def processes(self) -> tuple[ProcessSettings, ...]:
        return self._read[0]

    @property
    def unreadable(self) -> Mapping[Path, ConfigurationError]:
        """Errors by file."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[ProcessSettings, ...], Mapping[Path, ConfigurationError]]:
        readable: list[ProcessSettings] = []
        unreadable: dict[Path, ConfigurationError] = {}
        for file in self.files:
            try:
                readable.append(self.read(file))
            except ConfigurationError as error:
                unreadable[file] = error
        return self.in_order(readable), unreadable
