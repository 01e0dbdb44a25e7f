"""Fault run: inject faults into a jurisdiction under load, then check its history."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, Literal

from handoff.config import JurisdictionPlan, PlannedDeadline, PlannedMember
from handoff.record.codes import CaseService, DeadlineSource, DeadlineStep, MemberKind, RecipientClass, Urgency
from handoff.record.envelope import COORDINATION
from handoff.trial.trial import Trial, temporary_directory
from history_checker.answered_commands import AnsweredCommandLog, read_answered_commands
from history_checker.checks import Violation
from history_checker.collector import collect_snapshot
from history_checker.report import Report, build_report
from tests.faults.context import FaultContext, Impact, Injector
from tests.faults.disk import LimitedDisk
from tests.faults.injections import fault_kinds
from tests.faults.load import DEADLINE_SECONDS, Load
from tests.faults.planted_faults import plant_faults
from tests.faults.processes import ProcessGroup, running_processes
from tests.faults.progress import FOLDED, PROJECTED, ROUTED, ProgressSampler

Print = Callable[[str], None]

_WARM_UP_SECONDS = 3.0
_PAUSE_SECONDS = 1.5
_IDLE_TIMEOUT_SECONDS = 120.0
_LONG_RUN_FAULTS = 100

_S = CaseService
_MEMBERS = (
    PlannedMember(id="police", service="police_intake", offers=(_S.POLICE_PROTECTION,)),
    PlannedMember(id="social_work", service="social_work", offers=(_S.CASE_MANAGEMENT,)),
    PlannedMember(id="legal_aid", service="legal_aid", offers=(_S.LEGAL_AID,), classes=(RecipientClass.LEGAL_AID,)),
    PlannedMember(id="shelter", service="shelter", offers=(_S.SHELTER, _S.PSYCHOSOCIAL)),
    PlannedMember(id=COORDINATION, kind=MemberKind.COORDINATION, service="coordination"),
)
_DEADLINES = (
    PlannedDeadline(
        id="answered",
        step=DeadlineStep.ANSWERED,
        urgencies=(Urgency.EMERGENCY,),
        amount=DEADLINE_SECONDS,
        source=DeadlineSource.ASSUMED,
    ),
)


def plan() -> JurisdictionPlan:
    """Return a plan with four agencies and the coordinator. Emergencies have to be answered within two seconds."""
    return JurisdictionPlan.model_validate(
        {"jurisdiction": {"name": "faults", "generation": 1}, "members": _MEMBERS, "deadlines": _DEADLINES}
    )


@dataclass(frozen=True, slots=True)
class FaultEffect:
    """One fault and its effect in seconds: target down, until all ready, longest stalls, longest wait for an answer."""

    fault: str
    target: str
    down_seconds: float
    recovery_seconds: float
    stall_seconds: dict[str, float]
    answer_seconds: float


@dataclass(frozen=True, slots=True)
class FaultRunResult:
    """Result of a run; ``planted`` are the checker's findings after faults were planted in the real parts."""

    effects: tuple[FaultEffect, ...]
    scenarios: int
    restarts: int
    seconds: float
    became_idle: bool
    report: Report
    planted: tuple[Violation, ...]

    def lines(self) -> Iterator[str]:
        """Return a table with a row per kind of fault: median and maximum, in seconds."""
        kinds = (ROUTED, PROJECTED, FOLDED)
        yield f"| fault | times | down | {' | '.join(f'not {kind}' for kind in kinds)} | longest wait for an answer |"
        yield "|---|---|---|---|---|---|---|"
        for fault in dict.fromkeys(effect.fault for effect in self.effects):
            same = [effect for effect in self.effects if effect.fault == fault]
            stalls = ([effect.stall_seconds[kind] for effect in same] for kind in kinds)
            columns = ([effect.down_seconds for effect in same], *stalls, [effect.answer_seconds for effect in same])
            cells = (f"{median(values):.1f} / {max(values):.1f}" for values in columns)
            yield f"| {fault} | {len(same)} | {' | '.join(cells)} |"
        yield f"{self.scenarios} scenarios in {self.seconds:.0f} s; {self.restarts} processes ended by themselves"

    def document(self) -> dict[str, Any]:
        """Return the result for programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FaultRunOptions:
    """Options of a run; ``only`` selects the kinds of fault whose name contains it."""

    faults: int
    seed: int = 1
    brokers: Literal[1, 3] = 1
    only: str = ""

    def schedule(self) -> Iterator[tuple[int, str, Injector]]:
        """Return the faults in order, each with the round of its kind, its name and its injector."""
        known = fault_kinds(self.brokers, self.only)
        for number, (name, inject) in enumerate(islice(cycle(known.items()), self.faults)):
            yield number // len(known), name, inject


def run_faults(options: FaultRunOptions, report_progress: Print, keep: Path | None = None) -> FaultRunResult:
    """Run in a temporary directory, or in ``keep``."""
    with temporary_directory() as directory:
        trial = Trial(keep or directory, plan(), report_progress, brokers=options.brokers)
        with LimitedDisk(trial.stack.postgres.directory).mounted() as disk, running_processes(trial) as processes:
            return asyncio.run(_run(trial, processes, disk, options, report_progress))


async def _run(
    trial: Trial, processes: ProcessGroup, disk: LimitedDisk, options: FaultRunOptions, report_progress: Print
) -> FaultRunResult:
    began = time.monotonic()
    answers = trial.directory / "answers.jsonl"
    log, progress = AnsweredCommandLog(answers), ProgressSampler(trial.directory)
    load = Load(processes.replicas, log, options.seed)
    background = [asyncio.create_task(task) for task in (processes.supervise(), progress.run())]
    try:
        await processes.until_ready()
        load_task = asyncio.create_task(load.run())
        background.append(load_task)
        await asyncio.sleep(_WARM_UP_SECONDS)
        context = FaultContext(trial, processes, load, disk, is_long=options.faults >= _LONG_RUN_FAULTS)
        injected = [await _inject(context, *fault, report_progress) for fault in options.schedule()]
        load.stop()
        await load_task
        became_idle = await progress.wait_until_idle(_IDLE_TIMEOUT_SECONDS)
        effects = tuple(_effect(fault, progress, load) for fault in injected)
    finally:
        await _cancel(*background)
        await load.close()
        progress.close()
        log.close()
    report = build_report(await collect_snapshot(trial.directory, read_answered_commands(answers)))
    await plant_faults(trial)
    planted = build_report(await collect_snapshot(trial.directory)).findings
    return FaultRunResult(
        effects, load.scenarios, processes.restarts, time.monotonic() - began, became_idle, report, planted
    )


@dataclass(frozen=True, slots=True)
class _InjectedFault:
    """Fault with its impact; ``end`` is when every process was ready again."""

    name: str
    impact: Impact
    start: float
    end: float


async def _inject(
    context: FaultContext, round_number: int, name: str, inject: Injector, report_progress: Print
) -> _InjectedFault:
    start = time.monotonic()
    impact = await inject(context, round_number)
    await context.processes.until_ready()
    end = time.monotonic()
    report_progress(
        f"{name} ({impact.target}): down for {impact.down_seconds:.1f} s, all ready after {end - start:.1f} s"
    )
    await asyncio.sleep(_PAUSE_SECONDS)
    return _InjectedFault(name, impact, start, end)


def _effect(fault: _InjectedFault, progress: ProgressSampler, load: Load) -> FaultEffect:
    """Return the effect of a fault. Computed after the run, because a stall may outlast the fault."""
    span = (fault.start, fault.end)
    return FaultEffect(
        fault=fault.name,
        target=fault.impact.target,
        down_seconds=round(fault.impact.down_seconds, 2),
        recovery_seconds=round(fault.end - fault.start, 2),
        stall_seconds={kind: round(progress.longest_stall(kind, *span), 2) for kind in (ROUTED, PROJECTED, FOLDED)},
        answer_seconds=round(load.longest_wait(*span), 2),
    )


async def _cancel(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
