"""Trust policy of a process, read from the file named in its settings."""

from handoff.config import CheckpointSettings, ConfigurationError
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import MalformedTrustFile, TrustPolicy


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
