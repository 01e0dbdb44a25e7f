"""Every process of a jurisdiction with its standbys: killed, frozen and started at will, supervised meanwhile."""

import asyncio
import os
import signal
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import tomli_w

from handoff.config import CONFIG_VARIABLE
from handoff.operations.setup.installation import Process
from handoff.record.topics import MONITOR
from handoff.trial.child_process import ChildProcess
from handoff.trial.trial import Trial

_ROOT = Path(__file__).parents[2]
_LOOK_SECONDS = 0.2
_READY_SECONDS = 240
# A busy machine answers late, and taken for one that stands by it would be spared.
_METRIC_SECONDS = 10
_FIRST_STANDBY_PORT = 30
DOUBLED_NODE = "police"
# What is greatest at the one of the two that does the work.
_AT_WORK = {
    "exchange": "handoff_routing_epoch",
    "projection": "handoff_projection_epoch",
    DOUBLED_NODE: "handoff_node_epoch",
}


class NotReady(Exception):
    """Not every process came to be ready; with what each said last."""


class Crew:
    """The processes by name; a standby is named for its twin."""

    def __init__(self, trial: Trial) -> None:
        standbys = (_standby(trial, twin, number) for number, twin in enumerate(_AT_WORK))
        self.processes = {process.id: process for process in (*trial.supervisor.processes.values(), *standbys)}
        self._children = {process.id: _child(process, trial.directory / "logs") for process in self.processes.values()}
        self._down: set[str] = set()
        self.restarts = 0

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every institution's process that has no standby."""
        return tuple(name for name in self.processes if not name.startswith((*_AT_WORK, MONITOR)))

    def twins(self, name: str) -> tuple[Process, ...]:
        """A process and, where it has one, its standby."""
        return tuple(process for process in self.processes.values() if process.id in (name, _standby_of(name)))

    def start(self) -> None:
        """Starts every process that does not run."""
        self._down.clear()
        for child in self._children.values():
            child.start()

    async def supervise(self) -> None:
        """Starts again whatever has ended by itself, as a service manager would; goes on until it is cancelled."""
        while True:
            for name in self._children.keys() - self._down:
                if not self._children[name].running:
                    self._children[name].start()
                    self.restarts += 1
            await asyncio.sleep(_LOOK_SECONDS)

    def kill(self, name: str) -> None:
        """SIGKILL, and nobody starts it again until ``start``."""
        self._down.add(name)
        self._children[name].kill()

    def freeze(self, name: str) -> None:
        """SIGSTOP: it keeps its connections and its locks, and says nothing."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        self._signal(name, signal.SIGCONT)

    async def active(self, name: str) -> str:
        """Which of two that do the same does the work now."""
        at_work = {twin.id: await _metric(twin, _AT_WORK[name]) for twin in self.twins(name)}
        return max(at_work, key=lambda twin: at_work[twin])

    async def works(self, name: str, process: Process) -> None:
        """Waits until ``process``, one of the two of that name, does the work and is ready. Raises TimeoutError."""
        async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient(timeout=2) as client:
            while await _metric(process, _AT_WORK[name]) <= 0:  # noqa: ASYNC110 - another process is watched
                await asyncio.sleep(_LOOK_SECONDS)
            await _until_ready(client, process)

    async def ready(self) -> None:
        """Waits until every process says that it is. Raises NotReady."""
        async with httpx.AsyncClient(timeout=2) as client:
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    await asyncio.gather(*(_until_ready(client, process) for process in self.processes.values()))
            except TimeoutError:
                said = [f"{p.id}: {await _said_of_readiness(client, p)}" for p in self.processes.values()]
                raise NotReady("\n".join(said)) from None

    def stop(self) -> None:
        """Ends all at once, the frozen ones too."""
        for name, child in self._children.items():
            if child.running:
                self.thaw(name)
                child.kill()

    def _signal(self, name: str, number: signal.Signals) -> None:
        pid = self._children[name].pid
        if pid is not None and self._children[name].running:
            os.kill(pid, number)


async def _metric(process: Process, name: str) -> float:
    async with httpx.AsyncClient(timeout=_METRIC_SECONDS) as client:
        try:
            told = (await client.get(f"{process.url}/metrics")).text
        except httpx.TransportError:
            return -1
    return next((float(line.split()[1]) for line in told.splitlines() if line.startswith(f"{name} ")), -1)


def _standby_of(name: str) -> str:
    return f"{name} standby"


def _standby(trial: Trial, name: str, number: int) -> Process:
    twin = trial.supervisor.processes[name]
    port = trial.installation.service_port(_FIRST_STANDBY_PORT + number)
    config = trial.directory / "standby" / f"{name}.toml"
    config.parent.mkdir(exist_ok=True)
    settings = tomllib.loads(twin.config.read_text())
    config.write_text(tomli_w.dumps({**settings, "http": {"port": port}}))
    return replace(twin, id=_standby_of(name), port=port, config=config)


def _child(process: Process, logs: Path) -> ChildProcess:
    return ChildProcess(
        name=process.id,
        argv=(sys.executable, "-m", process.module),
        log=logs / f"{process.id}.log",
        env={CONFIG_VARIABLE: str(process.config)},
        cwd=_ROOT,
    )


async def _until_ready(client: httpx.AsyncClient, process: Process) -> None:
    while not (await _said_of_readiness(client, process)).startswith("200"):  # noqa: ASYNC110 - another process is watched
        await asyncio.sleep(_LOOK_SECONDS)


async def _said_of_readiness(client: httpx.AsyncClient, process: Process) -> str:
    try:
        answer = await client.get(f"{process.url}/health/ready")
    except httpx.TransportError as error:
        return type(error).__name__
    return f"{answer.status_code} {answer.text}"


@contextmanager
def crewed(trial: Trial) -> Iterator[Crew]:
    """The trial's parts and its crew, none of which outlives the block."""
    crew: Crew | None = None
    try:
        trial.start_parts()
        trial.found()
        crew = Crew(trial)
        crew.start()
        yield crew
    finally:
        if crew is not None:
            crew.stop()
        trial.stop()
