"""A node: commands per second with the durable outbox, against FastAPI with one INSERT for each request."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import httpx
import uvloop

from bench.cpu_time import cpu_of
from bench.processes import listening
from bench.race import Spread
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand
from bench.wire import Wire
from handoff.operations.node_recovery import pause_relay
from handoff.record.topics import PROJECTION
from handoff.trial.child_process import ChildProcess
from handoff.trial.trial import Trial

_CONNECTIONS = 32
_WARM_SECONDS = 0.5
_PEERS_DATABASE = PROJECTION
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_OPENING = {"entry_point": "police_call", "reporting_delay": "same_day"}


def node(stand: Stand, sizes: Sizes) -> Chapter:
    """The command that opens a case, from 32 concurrent connections."""
    runs: dict[str, list[_Run]] = {"node": [], "peer": []}
    with stand.trial() as trial, _peer(trial) as peer:
        police, ports = trial.supervisor.processes["police"], listening()
        own = _Server(trial, police.url, police.token, ports[police.port], "police")
        other = _Server(trial, peer, "any", ports[urlsplit(peer).port or 0], _PEERS_DATABASE)
        # Only deciding and storing are measured; the exchange would use the same processors.
        asyncio.run(pause_relay(trial.jurisdiction.postgres_settings("police"), paused=True))
        for number in range(1, sizes.rounds + 1):
            for name, server in (("node", own), ("peer", other)):
                runs[name].append(run := server.run(sizes.node_seconds))
                stand.progress(
                    f"round {number}: {name} {run.rate:,.0f} commands/s, {run.process_us:.0f} µs of the process and "
                    f"{run.database_us:.0f} µs of the database each"
                )
    pairs = list(zip(runs["node"], runs["peer"], strict=True))
    findings = [
        Measurement("Node, durable outbox", Spread.of([run.rate for run in runs["node"]]), "commands/s"),
        *_cpu("Node", runs["node"]),
        Measurement("FastAPI, one INSERT", Spread.of([run.rate for run in runs["peer"]]), "commands/s"),
        *_cpu("FastAPI", runs["peer"]),
        Measurement("Node ÷ FastAPI", Spread.of([a.rate / b.rate for a, b in pairs]), "times", Aim(1.5)),
        Measurement("CPU of FastAPI ÷ node", Spread.of([b.cpu_us / a.cpu_us for a, b in pairs]), "times", Aim(1.5)),
    ]
    return Chapter("node", "Node, commands a second", findings, _REMARKS)


@dataclass(frozen=True)
class _Run:
    """Commands per second, and CPU time of the server and of its database's sessions for a command."""

    rate: float
    process_us: float
    database_us: float

    @property
    def cpu_us(self) -> float:
        return self.process_us + self.database_us


@dataclass(frozen=True)
class _Server:
    """A server under load, with its process and the role whose database it uses."""

    trial: Trial
    url: str
    token: str
    pid: int
    database: str

    def run(self, seconds: float) -> _Run:
        """Warm the server up, then load it for ``seconds``."""
        uvloop.run(_load(self.url, self.token, _WARM_SECONDS))
        sessions = asyncio.run(self._sessions())
        process, database = cpu_of([self.pid]), cpu_of(sessions)
        done = uvloop.run(_load(self.url, self.token, seconds))
        process, database = cpu_of([self.pid]) - process, cpu_of(sessions) - database
        return _Run(done / seconds, process / done * 1e6, database / done * 1e6)

    async def _sessions(self) -> list[int]:
        jurisdiction = self.trial.jurisdiction
        connection = await asyncpg.connect(jurisdiction.postgres.dsn(f"{jurisdiction.name}_{self.database}"))
        try:
            return [row["pid"] for row in await connection.fetch(_SESSIONS)]
        finally:
            await connection.close()


def _cpu(name: str, runs: list[_Run]) -> Iterator[Measurement]:
    yield Measurement(f"{name}: CPU of the process", Spread.of([run.process_us for run in runs]), "µs a command")
    yield Measurement(f"{name}: CPU of the database", Spread.of([run.database_us for run in runs]), "µs a command")


async def _load(url: str, token: str, seconds: float) -> int:
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(_one_connection(url, token, until) for _ in range(_CONNECTIONS))))


async def _one_connection(url: str, token: str, until: float) -> int:
    wire, answered = Wire(url, token), 0
    while time.monotonic() < until:
        status, body = await wire.post("/cases", _OPENING)
        if status != 202:
            raise RuntimeError(f"{url}: unexpected status {status}: {body.decode()}")
        answered += 1
    wire.close()
    return answered


@contextmanager
def _peer(trial: Trial) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dsn = trial.jurisdiction.postgres_settings(_PEERS_DATABASE, "owner").dsn
    server = ChildProcess(
        name="peer",
        argv=(sys.executable, "-m", "bench.contestants.fastapi_server", str(port), dsn),
        log=trial.directory / "peer.log",
    )
    server.start()
    try:
        url = f"http://127.0.0.1:{port}"
        server.wait_ready(lambda: _answers(url))
        yield url
    finally:
        server.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/openapi.json", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


_REMARKS = (
    "A command is judged against the folded state and stored as the bytes to be signed; the peer stores the body.",
    "The relay is paused, so that no other work competes with the node and its peer.",
)
