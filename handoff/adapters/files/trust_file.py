"""Whom a process trusts with the record's checkpoints, read from the file that its settings name."""

from handoff.config import CheckpointSettings, ConfigurationError
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import MalformedTrustFile, TrustPolicy


def trusted(settings: CheckpointSettings, origin: Origin) -> TrustPolicy:
    """The trust in the file that the settings name. Raises ConfigurationError where it does not name the log."""
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
