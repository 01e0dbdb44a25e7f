"""Verification at the end of the demo: the case's bundle is verified, and so are three bundles tampered with."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from handoff.adapters.postgres.bundle_export import BundleRequest, NoCheckpointCoversCase, open_export
from handoff.operations.bundle import WrittenBundle, bundle_request, write_bundle
from handoff.operations.installation_settings import InstallationSettings
from handoff.proof.verify.report import Conclusion, VerificationReport
from handoff.proof.verify.verifier import verify
from handoff.record.topics import PROJECTION
from handoff.trial.demo.agency import wait_until
from handoff.trial.demo.tampering import Tampering, tamperings
from handoff.trial.errors import TrialError
from handoff.trial.trial import Trial
from handoff.views.timeline import TimelineEntry


@dataclass(frozen=True, slots=True)
class Verification:
    """A case's bundle, the verifier's report on it, and its reports on three bundles tampered with."""

    written: WrittenBundle
    report: VerificationReport
    tamperings: Sequence[Tampering]

    def document(self) -> Mapping[str, object]:
        """Verification as a JSON document."""
        tampered = [{"where": t.where, "done": t.done, "found": t.found} for t in self.tamperings]
        verified = {"verdict": self.report.conclusion.code, "lines": tuple(self.report.lines())}
        return {"bundle": asdict(self.written), "verified": verified, "tamperings": tampered}


def verify_case(trial: Trial, case: UUID, timeline: Sequence[TimelineEntry]) -> Verification:
    """Wait for the checkpoint that covers ``timeline``, and verify the case. Raises TrialError if it is not proven."""
    installed = InstallationSettings(trial.directory)
    request, last = bundle_request(installed, case), timeline[-1].position
    wait_until(
        "a cosigned checkpoint that covers the case", lambda: asyncio.run(_covers(installed, request, last)) or None
    )
    path = trial.directory / "bundles" / f"{case}.bundle"
    path.parent.mkdir(exist_ok=True)
    written = asyncio.run(write_bundle(installed, request, path))
    report = _verified(path, request)
    superuser = trial.jurisdiction.postgres.dsn(f"{trial.jurisdiction.name}_{PROJECTION}")
    return Verification(written, report, asyncio.run(tamperings(superuser, request, path.read_bytes(), timeline)))


async def _covers(installed: InstallationSettings, request: BundleRequest, last: int) -> bool:
    try:
        async with open_export(installed.timeline_reader, request) as found:
            return found.size > last
    except NoCheckpointCoversCase:
        return False


def _verified(path: Path, request: BundleRequest) -> VerificationReport:
    with path.open("rb") as source:
        report = verify(source, request.trust)
    if report.conclusion is not Conclusion.PROVEN:
        raise TrialError("\n".join(("the bundle of the case is not proven:", *report.lines())))
    return report
