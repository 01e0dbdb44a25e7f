"""One run: a jurisdiction under load, faults in turn, and then the history read again."""

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
from history_checker.checks import Finding
from history_checker.collector import collect_snapshot
from history_checker.report import Report, build_report
from tests.faults.crew import Crew, crewed
from tests.faults.disk import SmallDisk
from tests.faults.injections import kinds
from tests.faults.load import DEADLINE_SECONDS, Load
from tests.faults.place import Inject, Met, Place
from tests.faults.pulse import FOLDED, ROUTED, SHOWN, Pulse
from tests.faults.sabotage import sabotage

Tell = Callable[[str], None]

_WARM_UP_SECONDS = 3.0
_BETWEEN_SECONDS = 1.5
_QUIET_SECONDS = 120.0
_LONG_RUN = 100

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
        seconds=DEADLINE_SECONDS,
        source=DeadlineSource.ASSUMED,
    ),
)


def plan() -> JurisdictionPlan:
    """Four agencies and the coordinator, where an emergency has to be answered within two seconds."""
    return JurisdictionPlan.model_validate(
        {"jurisdiction": {"name": "ordeal", "generation": 1}, "members": _MEMBERS, "deadlines": _DEADLINES}
    )


@dataclass(frozen=True, slots=True)
class Suffered:
    """One fault, whom it met, for how long that was gone, and what rested how long (seconds)."""

    fault: str
    met: str
    gone: float
    seconds: float
    rests: dict[str, float]
    answer_waited: float


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What a run came to; ``sabotage`` is what the checker then found of the faults planted in the real parts."""

    suffered: tuple[Suffered, ...]
    stories: int
    restarts: int
    seconds: float
    came_to_rest: bool
    history: Report
    sabotage: tuple[Finding, ...]

    def lines(self) -> Iterator[str]:
        """A table: for each kind of fault what was gone and what rested, at the median and at most, in seconds."""
        yield f"| fault | times | gone | {ROUTED} | {SHOWN} | {FOLDED} | longest wait for an answer |"
        yield "|---|---|---|---|---|---|---|"
        for fault in dict.fromkeys(suffered.fault for suffered in self.suffered):
            same = [suffered for suffered in self.suffered if suffered.fault == fault]
            felt = ([s.gone for s in same], *([s.rests[kind] for s in same] for kind in (ROUTED, SHOWN, FOLDED)))
            told = (f"{median(values):.1f} / {max(values):.1f}" for values in (*felt, [s.answer_waited for s in same]))
            yield f"| {fault} | {len(same)} | {' | '.join(told)} |"
        yield f"{self.stories} stories in {self.seconds:.0f} s; {self.restarts} processes ended by themselves"

    def document(self) -> dict[str, Any]:
        """The run for programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Request:
    """Which run is asked for; ``only`` is part of the names of the kinds that are wanted."""

    faults: int
    seed: int = 1
    brokers: Literal[1, 3] = 1
    only: str = ""

    def turns(self) -> Iterator[tuple[int, str, Inject]]:
        """Each fault: for which time its kind comes, its name, and what does it."""
        known = kinds(self.brokers, self.only)
        for number, (name, inject) in enumerate(islice(cycle(known.items()), self.faults)):
            yield number // len(known), name, inject


def run(request: Request, tell: Tell, keep: Path | None = None) -> Ordeal:
    """A whole run in a directory that goes away, or in ``keep``."""
    with temporary_directory() as directory:
        trial = Trial(keep or directory, plan(), tell, brokers=request.brokers)
        with SmallDisk(trial.stack.postgres.directory).mounted() as disk, crewed(trial) as crew:
            return asyncio.run(_run(trial, crew, disk, request, tell))


async def _run(trial: Trial, crew: Crew, disk: SmallDisk, request: Request, tell: Tell) -> Ordeal:
    began = time.monotonic()
    answers = trial.directory / "answers.jsonl"
    log, pulse = AnsweredCommandLog(answers), Pulse(trial.directory)
    load = Load(crew.twins, log, request.seed)
    background = [asyncio.create_task(task) for task in (crew.supervise(), pulse.run())]
    try:
        await crew.ready()
        telling = asyncio.create_task(load.run())
        background.append(telling)
        await asyncio.sleep(_WARM_UP_SECONDS)
        place = Place(trial, crew, load, disk, is_long=request.faults >= _LONG_RUN)
        struck = [await _strike(place, *turn, tell) for turn in request.turns()]
        load.stop()
        await telling
        rested = await pulse.quiet(_QUIET_SECONDS)
        suffered = tuple(_suffered(strike, pulse, load) for strike in struck)
    finally:
        await _end(*background)
        await load.close()
        pulse.close()
        log.close()
    history = build_report(await collect_snapshot(trial.directory, read_answered_commands(answers)))
    await sabotage(trial)
    found = build_report(await collect_snapshot(trial.directory)).findings
    return Ordeal(suffered, load.told, crew.restarts, time.monotonic() - began, rested, history, found)


@dataclass(frozen=True, slots=True)
class _Strike:
    """One fault as it was done; ``end`` is when every process said again that it is ready."""

    fault: str
    met: Met
    start: float
    end: float


async def _strike(place: Place, turn: int, name: str, inject: Inject, tell: Tell) -> _Strike:
    start = time.monotonic()
    met = await inject(place, turn)
    await place.crew.ready()
    end = time.monotonic()
    tell(f"{name} ({met.whom}): gone for {met.gone:.1f} s, all ready after {end - start:.1f} s")
    await asyncio.sleep(_BETWEEN_SECONDS)
    return _Strike(name, met, start, end)


def _suffered(strike: _Strike, pulse: Pulse, load: Load) -> Suffered:
    """Worked out at the end, for a rest may outlast the span in which it began."""
    span = (strike.start, strike.end)
    rests = {kind: round(pulse.longest_rest(kind, *span), 2) for kind in (ROUTED, SHOWN, FOLDED)}
    gone, seconds = round(strike.met.gone, 2), round(strike.end - strike.start, 2)
    return Suffered(strike.fault, strike.met.whom, gone, seconds, rests, round(load.longest_wait(*span), 2))


async def _end(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
