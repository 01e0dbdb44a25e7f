"""The scenario, played on a running trial, and what it leaves on the record."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from handoff import clock
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.node_recovery import pause_relay
from handoff.operations.timeline import handoff_figures, history_of, timeline_of
from handoff.record.delivery import VerdictKind
from handoff.trial.demo.agency import Agency, until
from handoff.trial.demo.proof import Proven, prove
from handoff.trial.demo.scenario import STEPS, Scenario
from handoff.trial.trial import Trial
from handoff.views.latency import Figures
from handoff.views.replay.history import History
from handoff.views.timeline import TimelineEntry


@dataclass(frozen=True, slots=True)
class Shown:
    """What a performance ends with: the case's timeline and history, how long its handoffs took, what is proven."""

    case: UUID
    timeline: Sequence[TimelineEntry]
    summary: Sequence[Figures]
    history: History
    proven: Proven

    def document(self) -> Mapping[str, Any]:
        """The same for programs."""
        return {
            "case": self.case,
            "steps": [step.__doc__ for step in STEPS],
            "timeline": [asdict(entry) for entry in self.timeline],
            "handoffs": [asdict(row) for row in self.summary],
            "proof": self.proven.document(),
        }


class TrialStage:
    """What may be broken on purpose, on a running trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._installed = InstallationSettings(trial.directory)

    def kill(self, process: str) -> None:
        """Ends a process by SIGKILL."""
        self._trial.supervisor.kill(process)

    def restart(self, process: str) -> None:
        """Starts it again and waits until it is ready."""
        self._trial.supervisor.restart(process)

    def pause_relay(self, member: str) -> None:
        """Holds back what a node sends."""
        asyncio.run(pause_relay(self._installed.node(member).postgres, paused=True))

    def resume_relay(self, member: str) -> None:
        """Lets it go."""
        asyncio.run(pause_relay(self._installed.node(member).postgres, paused=False))


def perform(trial: Trial, tell: Callable[[str], None]) -> Shown:
    """Plays every step and waits until the timeline holds it all. Raises TrialError at the first thing amiss."""
    run = clock.new_id()
    agencies = {p.id: Agency(p.id, p.url, p.token, run) for p in trial.supervisor.processes.values()}
    scenario = Scenario(agencies, TrialStage(trial), tell, clock.now())
    try:
        scenario.play()
        return _shown(trial, UUID(scenario.case))
    finally:
        for agency in agencies.values():
            agency.close()


def _shown(trial: Trial, case: UUID) -> Shown:
    installed = InstallationSettings(trial.directory)
    timeline = until("the timeline holds the missed deadline", lambda: _complete(installed, case))
    proven = prove(trial, case, timeline)
    figures, history = asyncio.run(handoff_figures(installed)), asyncio.run(history_of(installed, case))
    return Shown(case, timeline, figures, history, proven)


def _complete(installed: InstallationSettings, case: UUID) -> Sequence[TimelineEntry] | None:
    entries = asyncio.run(timeline_of(installed, case))
    missed = [e for e in entries if e.type == "deadline.missed.v1" and e.verdict.kind is VerdictKind.EFFECTIVE]
    return entries if missed else None
