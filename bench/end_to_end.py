"""End to end: response → record → inbox of the other agency → visible in its API → timeline.

The benchmark does not query the services while they run: the broker's append times and the services' own log lines show
when each step was durable, on the one clock of this machine.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.consumed import append_times
from bench.memory import memory
from bench.processes import KAFKA, POSTGRES, Used, pids, used
from bench.race import Spread
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand
from bench.wire import Json, Wires
from handoff.record.topics import in_topic, record_topic
from handoff.trial.trial import Trial

# Four commands, and the target's confirmation of delivery.
_EVENTS_PER_STORY = 5
_BEFORE_ANSWERING_SECONDS = 0.5
_LAST_SECONDS = 3.0
_LONGEST_SECONDS = 60.0
# Rate → place of the hop → the aims for p50 and p99.
_AIMS: Mapping[int, Mapping[int, tuple[float | None, float | None]]] = {50: {2: (35.0, 100.0), 3: (22.0, None)}}
_BUSY = ("police", "shelter", "exchange", "projection", KAFKA, POSTGRES)
_FAR = "2190-01-01T00:00:00Z"
_RELEASE = {"kind": "release.oral_witnessed", "purpose": "arrange_shelter", "recipient": "shelter", "expires_at": _FAR}
_HOPS = ("on the record", "in the other's inbox", "visible in its API", "on the timeline")


@dataclass(frozen=True)
class Crossing:
    """An event from one agency to another, and the time of the response to its command (seconds since 1970)."""

    event: str
    to: str
    answered: float


def end_to_end(stand: Stand, sizes: Sizes) -> Chapter:
    """Requests from police to shelter, and the shelter's answers, at a constant rate."""
    findings: list[Measurement] = []
    with stand.trial() as trial:
        for rate in sizes.rates:
            running = pids(trial)
            before = {name: used(pid) for name, pid in running.items()}
            crossings = asyncio.run(_send_stories(trial, rate, sizes.end_to_end_seconds))
            time.sleep(_LAST_SECONDS)
            spent = {name: used(pid).since(before[name]) for name, pid in running.items()}
            findings += _cpu(rate, spent, _EVENTS_PER_STORY * len(crossings) // 2)
            findings += _findings(rate, _hops(trial, crossings))
            stand.progress(f"{len(crossings)} events crossed at {rate} events/s")
        findings += memory(trial)
    return Chapter("end-to-end", "End to end, from the response on", findings)


def _cpu(rate: int, spent: Mapping[str, Used], events: int) -> Iterator[Measurement]:
    """CPU milliseconds of each process for an event, idle polling included."""
    cpu = {name: one.cpu_seconds / events * 1000 for name, one in spent.items()}
    others = sum(ms for name, ms in cpu.items() if name not in _BUSY)
    for name, ms in (
        *((name, cpu[name]) for name in _BUSY),
        ("all other processes", others),
        ("altogether", sum(cpu.values())),
    ):
        yield Measurement(f"{rate}/s: CPU of {name}", Spread(ms, ms, ms), "ms an event")


async def _send_stories(trial: Trial, rate: int, seconds: float) -> list[Crossing]:
    agencies = {name: _wires(trial, name) for name in ("police", "shelter")}
    crossings: list[Crossing] = []
    async with asyncio.TaskGroup() as stories:
        began = time.monotonic()
        for number in range(round(rate * seconds / _EVENTS_PER_STORY)):
            await asyncio.sleep(began + number * _EVENTS_PER_STORY / rate - time.monotonic())
            stories.create_task(_story(agencies["police"], agencies["shelter"], crossings))
    for wires in agencies.values():
        wires.close()
    return crossings


async def _story(police: Wires, shelter: Wires, crossings: list[Crossing]) -> None:
    opened = await _command(police, "/cases", {"entry_point": "police_call", "reporting_delay": "same_day"})
    case = opened["case"]
    basis = (await _command(police, f"/cases/{case}/bases", _RELEASE))["basis"]
    request = {"target": "shelter", "service": "shelter", "urgency": "emergency", "basis": basis}
    asked = await _command(police, f"/cases/{case}/referrals", request)
    crossings.append(Crossing(asked["events"][0], "shelter", time.time()))
    await asyncio.sleep(_BEFORE_ANSWERING_SECONDS)
    answer = await _command(shelter, f"/cases/{case}/referrals/{asked['referral']}/acceptance", {})
    crossings.append(Crossing(answer["events"][0], "police", time.time()))


async def _command(wires: Wires, path: str, body: Json) -> Json:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        status, answer = await wires.post(path, body)
        if status == 202:
            return answer
        if (status != 404 and answer.get("reason") != "absent") or time.monotonic() > deadline:
            raise RuntimeError(f"{path}: unexpected response {status}: {answer}")
        # The other agency's node has not folded the request yet.
        await asyncio.sleep(_BEFORE_ANSWERING_SECONDS)


def _wires(trial: Trial, name: str) -> Wires:
    process = trial.supervisor.processes[name]
    return Wires(process.url, process.token)


def _hops(trial: Trial, crossings: list[Crossing]) -> Mapping[str, list[float]]:
    """Milliseconds from each response to each hop."""
    name, kafka = trial.jurisdiction.name, trial.jurisdiction.kafka
    record = append_times(kafka, record_topic(name))
    inboxes = {to: append_times(kafka, in_topic(name, to)) for to in ("police", "shelter")}
    folded = {to: dict(_folded(trial.directory / "logs" / f"{to}.log")) for to in inboxes}
    pages = sorted(_pages(trial.directory / "logs" / "projection.log"))
    found: dict[str, list[float]] = {hop: [] for hop in _HOPS}
    for one in crossings:
        recorded = record[one.event]
        stored = next(at for following, at in pages if following > recorded.offset)
        moments = (recorded.at, inboxes[one.to][one.event].at, folded[one.to][one.event], stored)
        for hop, at in zip(_HOPS, moments, strict=True):
            found[hop].append((at - one.answered) * 1000)
    return found


def _folded(log: Path) -> Iterator[tuple[str, float]]:
    for line in _lines(log, "inbox.entry_folded"):
        yield line["event_id"], _seconds(line)


def _pages(log: Path) -> Iterator[tuple[int, float]]:
    for line in _lines(log, "projection.batch_stored"):
        yield line["next"], _seconds(line)


def _lines(log: Path, event: str) -> Iterator[Any]:
    for text in log.read_text().splitlines():
        if text.startswith("{") and (line := json.loads(text)).get("event") == event:
            yield line


def _seconds(line: Mapping[str, str]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def _findings(rate: int, hops: Mapping[str, list[float]]) -> Iterator[Measurement]:
    for place, (hop, took) in enumerate(hops.items()):
        percentiles = statistics.quantiles(took, n=100, method="inclusive")
        aims = _AIMS.get(rate, {}).get(place, (None, None))
        for name, value, aim in zip(("p50", "p99"), (percentiles[49], percentiles[98]), aims, strict=True):
            wanted = Aim(aim, at_most=True) if aim is not None else None
            yield Measurement(f"{rate}/s: {hop}, {name}", Spread(value, value, value), "ms", wanted)
