"""Bundle of a case, written from the timeline's database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from handoff.adapters.postgres.bundle_export import BundleRequest, open_export
from handoff.operations.installation_settings import InstallationSettings
from handoff.proof.verify.trust import TrustPolicy

Progress = Callable[[int, int], None]
"""Callback with the number of entries done and the number of all entries."""


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """A written bundle: its file and length, and the checkpoint that it ends with."""

    path: Path
    size: int
    cosigned_at: datetime | None
    cosigners: tuple[str, ...]
    bytes: int


def bundle_request(
    installed: InstallationSettings, case: UUID, *, trust: Path | None = None, most: int | None = None
) -> BundleRequest:
    """Request for a bundle of ``case`` under the trust file ``trust``, else under that of the installation.

    ``most`` limits the size of the checkpoint. Raises ConfigurationError, MalformedTrustFile and OSError.
    """
    trusted = TrustPolicy.parse((trust or installed.checkpoints.trust_file).read_bytes())
    request = BundleRequest(case, installed.origin, trusted)
    return request if most is None else BundleRequest(case, request.origin, trusted, most)


async def write_bundle(
    installed: InstallationSettings, request: BundleRequest, path: Path, progress: Progress = lambda _done, _total: None
) -> WrittenBundle:
    """Write the bundle to ``path``; the file appears complete or not at all.

    Raises the errors of ``open_export``, and OSError.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        async with open_export(installed.timeline_reader, request) as found:
            with partial.open("wb") as out:
                async for chunk in found.chunks():
                    out.write(chunk)
                    progress(found.done, found.size)
                written = out.tell()
            partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return WrittenBundle(path, found.size, found.checkpoint.proven_at, found.checkpoint.cosigners, written)
