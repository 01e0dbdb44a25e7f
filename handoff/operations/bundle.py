"""The bundle of a case, as an operator writes it down out of a running installation."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from handoff.adapters.postgres.bundle_export import Asked, evidence
from handoff.config import ConfigurationError
from handoff.operations.installation_settings import InstallationSettings
from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.topics import PROJECTION

Told = Callable[[int, int], None]
"""Hears how many entries are written, and of how many."""


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that was written: where, as of which checkpoint, and how many bytes."""

    path: Path
    size: int
    cosigned_at: datetime | None
    cosigners: tuple[str, ...]
    bytes: int


def bundle_request(
    installed: InstallationSettings, case: UUID, *, trust: Path | None = None, most: int | None = None
) -> Asked:
    """What is asked for: under the installation's own trust file unless another is given.

    Raises ConfigurationError, NotATrustFile and OSError.
    """
    settings = installed.process(PROJECTION)
    if settings.checkpoints is None:
        raise ConfigurationError(f"the configuration of {PROJECTION} has no section [checkpoints]")
    trusted = TrustPolicy.parse((trust or settings.checkpoints.trust_file).read_bytes())
    asked = Asked(case, Origin(settings.jurisdiction, settings.generation), trusted)
    return asked if most is None else Asked(case, asked.origin, trusted, most)


async def write_bundle(
    installed: InstallationSettings, asked: Asked, path: Path, told: Told = lambda _done, _of: None
) -> Written:
    """Writes the bundle to ``path``, whole or not at all. Raises what ``evidence`` raises, and OSError."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        async with evidence(installed.projection_as("reader"), asked) as found:
            with partial.open("wb") as out:
                async for chunk in found.chunks():
                    out.write(chunk)
                    told(found.done, found.size)
                written = out.tell()
            partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return Written(path, found.size, found.vouched.proven_at, found.vouched.cosigners, written)
