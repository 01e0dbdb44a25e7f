"""A node: commands per second with the durable outbox, against FastAPI with one INSERT for each request."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvloop

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
_OPENING = {"entry_point": "police_call", "reporting_delay": "same_day"}


def node(stand: Stand, sizes: Sizes) -> Chapter:
    """The command that opens a case, from 32 concurrent connections."""
    rates: dict[str, list[float]] = {"node": [], "peer": []}
    with stand.trial() as trial, _peer(trial) as peer:
        police = trial.supervisor.processes["police"]
        # Only deciding and storing are measured; the exchange would use the same processors.
        asyncio.run(pause_relay(trial.jurisdiction.postgres_settings("police"), paused=True))
        for number in range(1, sizes.rounds + 1):
            for name, url, token in (("node", police.url, police.token), ("peer", peer, "any")):
                rates[name].append(uvloop.run(_commands(url, token, sizes.node_seconds)))
                stand.progress(f"round {number}: {name} {rates[name][-1]:,.0f} commands/s")
    ratio = Spread.of([own / other for own, other in zip(rates["node"], rates["peer"], strict=True)])
    findings = [
        Measurement("Node, durable outbox", Spread.of(rates["node"]), "commands/s"),
        Measurement("FastAPI, one INSERT", Spread.of(rates["peer"]), "commands/s"),
        Measurement("Node ÷ FastAPI", ratio, "times", Aim(3)),
    ]
    return Chapter("node", "Node, commands a second", findings, _REMARKS)


async def _commands(url: str, token: str, seconds: float) -> float:
    await _load(url, token, _WARM_SECONDS)
    return await _load(url, token, seconds) / seconds


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
    dsn = trial.jurisdiction.postgres_settings(PROJECTION, "owner").dsn
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
