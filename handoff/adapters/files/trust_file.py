"""Trust policy of a process, read from the file named in its settings, and read again when the file changes."""

from dataclasses import dataclass, field

import structlog

from handoff import telemetry
from handoff.config import CheckpointSettings, ConfigurationError
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.note import NoteKey
from handoff.proof.verify.trust import MalformedTrustFile, TrustPolicy

log = structlog.get_logger(__name__)


def trusted(settings: CheckpointSettings, origin: Origin) -> TrustPolicy:
    """Read the trust policy. Raises ``ConfigurationError`` if it is invalid or does not name the log."""
    try:
        trust = TrustPolicy.parse(settings.trust_file.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"checkpoints.trust_file: {settings.trust_file} cannot be read: {error.strerror}"
        ) from None
    except MalformedTrustFile as error:
        raise ConfigurationError(f"checkpoints.trust_file: {settings.trust_file}: {error}") from None
    if str(origin) not in trust.logs:
        raise ConfigurationError(f"checkpoints.trust_file: {settings.trust_file} names no log {origin}")
    return trust


@dataclass
class TrustFile:
    """The trust file of a running process. A renewed file counts from the next use on, without a restart.

    A file that is invalid, or is being replaced, is reported once, and the policy before it counts. Raises
    ``ConfigurationError`` if the first file is invalid.
    """

    settings: CheckpointSettings
    origin: Origin
    _policy: TrustPolicy = field(init=False)
    _version: object = field(init=False)

    def __post_init__(self) -> None:
        self._version = self._stat()
        self._policy = trusted(self.settings, self.origin)

    def current(self) -> TrustPolicy:
        """Return the policy in the file: the same object until the file changes."""
        version = self._stat()
        if version != self._version:
            self._version = version
            try:
                self._policy = trusted(self.settings, self.origin)
            except ConfigurationError as error:
                telemetry.TRUST_FILE_REFUSED.inc()
                log.error("trust_file.refused", error=str(error))  # noqa: TRY400 (the message has the cause)
            else:
                log.info("trust_file.renewed", keys=[key.short for key in self.public_keys])
        return self._policy

    @property
    def name(self) -> str:
        """Name of the record's log."""
        return str(self.origin)

    @property
    def public_keys(self) -> tuple[NoteKey, ...]:
        """Every key of the record's log."""
        return self._policy.logs[self.name].key.public_keys

    def keys_at(self, size: int) -> tuple[NoteKey, ...]:
        """Return the keys of the record's log that count at ``size`` under the current policy."""
        return self.current().logs[self.name].key.keys_at(size)

    def _stat(self) -> object:
        # A mounted ConfigMap is replaced by another file, an edited file has another time or size.
        try:
            found = self.settings.trust_file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
