"""One run: a jurisdiction under load, faults in turn, and then the history read again."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from handoff.config import JurisdictionPlan, PlannedDeadline, PlannedMember
from handoff.record.codes import CaseService, DeadlineSource, DeadlineStep, MemberKind, RecipientClass, Urgency
from handoff.record.envelope import COORDINATION
from handoff.trial.trial import Trial, temporary_directory
from tests.faults.crew import Crew, crewed
from tests.faults.injections import FAULTS, Met, Place
from tests.faults.load import DEADLINE_SECONDS, Load
from tests.faults.pulse import FOLDED, ROUTED, SHOWN, Pulse
from tests.faults.sabotage import sabotage
from tests.support.history.answers import AnswerLog, read_answers
from tests.support.history.checks import Finding
from tests.support.history.gathering import gather
from tests.support.history.report import Report, report

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
        """For each kind of fault what was gone and what rested, at the median and at most, in seconds."""
        for fault in dict.fromkeys(suffered.fault for suffered in self.suffered):
            same = [suffered for suffered in self.suffered if suffered.fault == fault]
            felt = {"gone": [s.gone for s in same]} | {k: [s.rests[k] for s in same] for k in same[0].rests}
            felt["an answer"] = [s.answer_waited for s in same]
            told = ", ".join(f"{name} {median(values):.1f}/{max(values):.1f}" for name, values in felt.items())
            yield f"{fault} ({len(same)}): {told}"
        yield f"{self.stories} stories in {self.seconds:.0f} s; {self.restarts} processes ended by themselves"

    def document(self) -> dict[str, Any]:
        """The run for programs."""
        return asdict(self)


def run(faults: int, tell: Tell, seed: int = 1, keep: Path | None = None) -> Ordeal:
    """A whole run in a directory that goes away, or in ``keep``."""
    with temporary_directory() as directory:
        trial = Trial(keep or directory, plan(), tell)
        with crewed(trial) as crew:
            return asyncio.run(_run(trial, crew, faults, tell, seed))


async def _run(trial: Trial, crew: Crew, faults: int, tell: Tell, seed: int) -> Ordeal:
    began = time.monotonic()
    await crew.ready()
    answers = trial.directory / "answers.jsonl"
    log, pulse = AnswerLog(answers), Pulse(trial.directory)
    load = Load(crew.processes, log, seed)
    background = [asyncio.create_task(task) for task in (crew.supervise(), pulse.run())]
    telling = asyncio.create_task(load.run())
    try:
        await asyncio.sleep(_WARM_UP_SECONDS)
        place = Place(crew, trial._stack, load, is_long=faults >= _LONG_RUN)
        struck = [await _strike(place, name, turn, tell) for turn, name in enumerate(_turns(faults))]
        load.stop()
        await telling
        rested = await pulse.quiet(_QUIET_SECONDS)
        suffered = tuple(_suffered(strike, pulse, load) for strike in struck)
    finally:
        await _end(telling, *background)
        await load.close()
        pulse.close()
        log.close()
    history = report(await gather(trial.directory, read_answers(answers)))
    await sabotage(trial)
    found = report(await gather(trial.directory)).findings
    return Ordeal(suffered, load.told, crew.restarts, time.monotonic() - began, rested, history, found)


def _turns(faults: int) -> Iterator[str]:
    return islice(cycle(FAULTS), faults)


@dataclass(frozen=True, slots=True)
class _Strike:
    """One fault as it was done; ``end`` is when every process said again that it is ready."""

    fault: str
    met: Met
    start: float
    end: float


async def _strike(place: Place, name: str, turn: int, tell: Tell) -> _Strike:
    start = time.monotonic()
    met = await FAULTS[name](place, turn // len(FAULTS))
    await place.crew.ready()
    end = time.monotonic()
    tell(f"{turn + 1}: {name} ({met.whom}), gone for {met.gone:.1f} s")
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
