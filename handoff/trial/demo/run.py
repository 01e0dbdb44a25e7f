"""Demo: the scenario played on a running trial, and the resulting timeline, figures and verification."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from handoff import clock
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.node_recovery import pause_relay
from handoff.operations.timeline import handoff_figures, history_of, timeline_of
from handoff.record.delivery import VerdictKind
from handoff.trial.demo.agency import Agency, wait_until
from handoff.trial.demo.proof import Verification, verify_case
from handoff.trial.demo.scenario import STEPS, LateStep, Scenario
from handoff.trial.trial import Trial
from handoff.views.latency import Figures
from handoff.views.replay.history import History
from handoff.views.timeline import TimelineEntry


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Result of the demo: timeline and history of the case, its waiting times, its verification, and the late step."""

    case: UUID
    timeline: Sequence[TimelineEntry]
    summary: Sequence[Figures]
    history: History
    verification: Verification
    late_step: LateStep | None

    def document(self) -> Mapping[str, object]:
        """Result as a JSON document."""
        return {
            "case": self.case,
            "steps": [step.__doc__ for step in STEPS],
            "timeline": [asdict(entry) for entry in self.timeline],
            "handoffs": [asdict(row) for row in self.summary],
            "late_step": asdict(self.late_step) if self.late_step is not None else None,
            "proof": self.verification.document(),
        }


class TrialFaults:
    """Faults that the scenario injects into a running trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._installed = InstallationSettings(trial.directory)

    def kill(self, process: str) -> None:
        """Kill a process with SIGKILL."""
        self._trial.supervisor.kill(process)

    def restart(self, process: str) -> None:
        """Start a process again and wait until it is ready."""
        self._trial.supervisor.restart(process)

    def pause_relay(self, member: str) -> None:
        """Pause a node's relay."""
        asyncio.run(pause_relay(self._installed.node(member).postgres, paused=True))

    def resume_relay(self, member: str) -> None:
        """Resume a node's relay."""
        asyncio.run(pause_relay(self._installed.node(member).postgres, paused=False))


def play_demo(trial: Trial, report: Callable[[str], None]) -> DemoResult:
    """Play every step and wait until the timeline is complete. Raises TrialError at the first unexpected result."""
    run = clock.new_id()
    agencies = {p.id: Agency(p.id, p.url, p.token, run) for p in trial.supervisor.processes.values()}
    scenario = Scenario(agencies, TrialFaults(trial), report, clock.now())
    try:
        scenario.play()
        return _result(trial, UUID(scenario.case), scenario.late_step)
    finally:
        for agency in agencies.values():
            agency.close()


def _result(trial: Trial, case: UUID, late_step: LateStep | None) -> DemoResult:
    installed = InstallationSettings(trial.directory)
    timeline = wait_until("the missed deadline on the timeline", lambda: _complete(installed, case))
    verification = verify_case(trial, case, timeline)
    figures, history = asyncio.run(handoff_figures(installed)), asyncio.run(history_of(installed, case))
    return DemoResult(case, timeline, figures.groups, history, verification, late_step)


def _complete(installed: InstallationSettings, case: UUID) -> Sequence[TimelineEntry] | None:
    entries = asyncio.run(timeline_of(installed, case))
    missed = [e for e in entries if e.type == "deadline.missed.v1" and e.verdict.kind is VerdictKind.EFFECTIVE]
    return entries if missed else None
