"""Processes of a jurisdiction and their standbys: supervised, killed, frozen and restarted."""

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
_POLL_SECONDS = 0.2
_READY_SECONDS = 240
# On a busy machine the active process answers late. It must not be mistaken for the standby.
_METRIC_SECONDS = 10
_FIRST_STANDBY_PORT = 30
NODE_WITH_STANDBY = "police"
# Metric that is greater at the active process than at its standby.
_ACTIVE_METRIC = {
    "exchange": "handoff_routing_epoch",
    "projection": "handoff_projection_epoch",
    NODE_WITH_STANDBY: "handoff_node_epoch",
}


class NotReady(Exception):
    """A process did not become ready in time. The message has the last answer of each process."""


class ProcessGroup:
    """Processes by name. A standby has the name of its primary with a suffix."""

    def __init__(self, trial: Trial) -> None:
        standbys = (_standby(trial, name, number) for number, name in enumerate(_ACTIVE_METRIC))
        self.processes = {process.id: process for process in (*trial.supervisor.processes.values(), *standbys)}
        self._children = {process.id: _child(process, trial.directory / "logs") for process in self.processes.values()}
        self._down: set[str] = set()
        self.restarts = 0

    @property
    def nodes(self) -> tuple[str, ...]:
        """Processes of the nodes that have no standby."""
        return tuple(name for name in self.processes if not name.startswith((*_ACTIVE_METRIC, MONITOR)))

    def replicas(self, name: str) -> tuple[Process, ...]:
        """Return a process and its standby, if it has one."""
        return tuple(process for process in self.processes.values() if process.id in (name, _standby_name(name)))

    def start(self) -> None:
        """Start every process that is not running."""
        self._down.clear()
        for child in self._children.values():
            child.start()

    async def supervise(self) -> None:
        """Restart processes that ended by themselves, as a service manager does, until cancelled."""
        while True:
            for name in self._children.keys() - self._down:
                if not self._children[name].running:
                    self._children[name].start()
                    self.restarts += 1
            await asyncio.sleep(_POLL_SECONDS)

    def kill(self, name: str) -> None:
        """Send SIGKILL. The process stays down until ``start``."""
        self._down.add(name)
        self._children[name].kill()

    def freeze(self, name: str) -> None:
        """Send SIGSTOP. The process keeps its connections and locks, and sends nothing."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Send SIGCONT. The process continues as if no time had passed."""
        self._signal(name, signal.SIGCONT)

    async def active(self, name: str) -> str:
        """Return the active one of a process and its standby."""
        values = {replica.id: await _metric(replica, _ACTIVE_METRIC[name]) for replica in self.replicas(name)}
        return max(values, key=lambda replica: values[replica])

    async def until_active(self, name: str, process: Process) -> None:
        """Wait until ``process``, one of the replicas of that name, is active and ready. Raises TimeoutError."""
        async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient(timeout=2) as client:
            while await _metric(process, _ACTIVE_METRIC[name]) <= 0:  # noqa: ASYNC110 - another process is watched
                await asyncio.sleep(_POLL_SECONDS)
            await _until_ready(client, process)

    async def until_ready(self) -> None:
        """Wait until every process reports that it is ready. Raises NotReady."""
        async with httpx.AsyncClient(timeout=2) as client:
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    await asyncio.gather(*(_until_ready(client, process) for process in self.processes.values()))
            except TimeoutError:
                answers = [f"{p.id}: {await _readiness(client, p)}" for p in self.processes.values()]
                raise NotReady("\n".join(answers)) from None

    def stop(self) -> None:
        """Kill all processes, frozen ones too."""
        for name, child in self._children.items():
            if child.running:
                self.resume(name)
                child.kill()

    def _signal(self, name: str, number: signal.Signals) -> None:
        pid = self._children[name].pid
        if pid is not None and self._children[name].running:
            os.kill(pid, number)


async def _metric(process: Process, name: str) -> float:
    async with httpx.AsyncClient(timeout=_METRIC_SECONDS) as client:
        try:
            metrics = (await client.get(f"{process.health_url}/metrics")).text
        except httpx.TransportError:
            return -1
    return next((float(line.split()[1]) for line in metrics.splitlines() if line.startswith(f"{name} ")), -1)


def _standby_name(name: str) -> str:
    return f"{name} standby"


def _standby(trial: Trial, name: str, number: int) -> Process:
    primary = trial.supervisor.processes[name]
    port, health = (trial.installation.service_port(_FIRST_STANDBY_PORT + 2 * number + i) for i in range(2))
    config = trial.directory / "standby" / f"{name}.toml"
    config.parent.mkdir(exist_ok=True)
    settings = tomllib.loads(primary.config.read_text())
    settings["health"] = {"port": health}
    if primary.has_api:
        settings["http"] = {"port": port}
    config.write_text(tomli_w.dumps(settings))
    return replace(
        primary, id=_standby_name(name), port=port if primary.has_api else health, health_port=health, config=config
    )


def _child(process: Process, logs: Path) -> ChildProcess:
    return ChildProcess(
        name=process.id,
        argv=(sys.executable, "-m", process.module),
        log=logs / f"{process.id}.log",
        env={CONFIG_VARIABLE: str(process.config)},
        cwd=_ROOT,
    )


async def _until_ready(client: httpx.AsyncClient, process: Process) -> None:
    while not (await _readiness(client, process)).startswith("200"):  # noqa: ASYNC110 - another process is watched
        await asyncio.sleep(_POLL_SECONDS)


async def _readiness(client: httpx.AsyncClient, process: Process) -> str:
    try:
        answer = await client.get(f"{process.health_url}/health/ready")
    except httpx.TransportError as error:
        return type(error).__name__
    return f"{answer.status_code} {answer.text}"


@contextmanager
def running_processes(trial: Trial) -> Iterator[ProcessGroup]:
    """Start the trial's stack and its processes, and stop them all at the end of the block."""
    processes: ProcessGroup | None = None
    try:
        trial.start_parts()
        trial.found()
        processes = ProcessGroup(trial)
        processes.start()
        yield processes
    finally:
        if processes is not None:
            processes.stop()
        trial.stop()
