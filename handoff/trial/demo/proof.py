"""How a performance ends: its case is sealed by a cosigned checkpoint, bundled, verified, and tampered with in vain."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from handoff.adapters.postgres.bundle_export import Asked, NothingProven, evidence
from handoff.operations.bundle import Written, bundle_request, write_bundle
from handoff.operations.installation_settings import InstallationSettings
from handoff.proof.verify.report import Conclusion, VerificationReport
from handoff.proof.verify.verifier import verify
from handoff.record.topics import PROJECTION
from handoff.trial.demo.agency import until
from handoff.trial.demo.tampering import Tampering, tamperings
from handoff.trial.errors import TrialError
from handoff.trial.trial import Trial
from handoff.views.timeline import TimelineEntry


@dataclass(frozen=True, slots=True)
class Proven:
    """A case's bundle, what the verifier says of it, and of three that were tampered with."""

    written: Written
    report: VerificationReport
    tamperings: Sequence[Tampering]

    def document(self) -> Mapping[str, Any]:
        """The same for programs."""
        tampered = [{"where": t.where, "done": t.done, "found": t.found} for t in self.tamperings]
        verified = {"outcome": self.report.conclusion.name.lower(), "said": tuple(self.report.lines())}
        return {"bundle": asdict(self.written), "verified": verified, "tamperings": tampered}


def prove(trial: Trial, case: UUID, timeline: Sequence[TimelineEntry]) -> Proven:
    """Waits for the checkpoint that covers ``timeline``, and proves it. Raises TrialError if it does not hold."""
    installed = InstallationSettings(trial.directory)
    asked, last = bundle_request(installed, case), timeline[-1].position
    until("a cosigned checkpoint covers the case", lambda: asyncio.run(_covers(installed, asked, last)) or None)
    path = trial.directory / "bundles" / f"{case}.bundle"
    path.parent.mkdir(exist_ok=True)
    written = asyncio.run(write_bundle(installed, asked, path))
    report = _verified(path, asked)
    superuser = trial.jurisdiction.postgres.dsn(f"{trial.jurisdiction.name}_{PROJECTION}")
    return Proven(written, report, asyncio.run(tamperings(superuser, asked, path.read_bytes(), timeline)))


async def _covers(installed: InstallationSettings, asked: Asked, last: int) -> bool:
    try:
        async with evidence(installed.projection_as("reader"), asked) as found:
            return found.size > last
    except NothingProven:
        return False


def _verified(path: Path, asked: Asked) -> VerificationReport:
    with path.open("rb") as source:
        report = verify(source, asked.trust)
    if report.conclusion is not Conclusion.GOOD:
        raise TrialError("\n".join(("the case's own bundle does not hold:", *report.lines())))
    return report
