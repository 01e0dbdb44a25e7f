"""A node as a real process of a small town, and its API as its institution's system calls it."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import tomli_w

from handoff.config import CONFIG_VARIABLE, KafkaSettings, PlannedMember, PostgresSettings
from handoff.record import codec, signing
from handoff.record.codes import CaseService, MemberKind, RecipientClass
from handoff.record.envelope import COORDINATION
from handoff.trial.child_process import ChildProcess
from tests.support.dsl.builders import key_of
from tests.support.parts.small_jurisdiction import ROOT, Town, plan
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.eventually import eventually

TOKEN = "a-token-for-tests"
MEMBERS = (
    PlannedMember(id="police", service="police_intake", offers=(CaseService.POLICE_PROTECTION,)),
    PlannedMember(
        id="shelter",
        service="shelter",
        offers=(CaseService.SHELTER,),
        classes=(RecipientClass.LICENSED_SHELTER,),
    ),
    PlannedMember(id=COORDINATION, kind=MemberKind.COORDINATION),
)


@dataclass(frozen=True)
class NodeProcess:
    """One node's process and where it answers."""

    child: ChildProcess
    url: str
    health_url: str

    async def get(self, path: str) -> Any:
        """Send a GET request."""
        async with self._client() as client:
            answer = await client.get(path)
            answer.raise_for_status()
            return answer.json()

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Send a command."""
        async with self._client() as client:
            answer = await client.post(path, json=body, headers=headers)
            assert answer.is_success, answer.text
            found: dict[str, Any] = answer.json()
            return found

    async def is_ready(self) -> bool:
        """Return whether it is ready."""
        return await self._responds_ok("/health/ready")

    async def parts(self) -> dict[str, Any]:
        """Return the readiness of each part by its name."""
        async with httpx.AsyncClient(base_url=self.health_url) as client:
            found = (await client.get("/health/ready")).json()
        return {part["name"]: part for part in found["parts"]}

    async def metrics(self) -> dict[str, float]:
        """Return the value of each series by its name and labels."""
        async with httpx.AsyncClient(base_url=self.health_url) as client:
            text = (await client.get("/metrics")).text
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    async def is_live(self) -> bool:
        """Return whether it is live."""
        return await self._responds_ok("/health/live")

    async def _responds_ok(self, path: str) -> bool:
        try:
            async with httpx.AsyncClient(base_url=self.health_url) as client:
                return (await client.get(path)).status_code == 200
        except httpx.TransportError:
            return False

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=35)


@dataclass(frozen=True)
class Street:
    """Two nodes and an exchange, running."""

    town: Town
    police: NodeProcess
    shelter: NodeProcess


@asynccontextmanager
async def two_nodes(jurisdictions: Jurisdictions, directory: Path) -> AsyncIterator[Street]:
    """Run the nodes of the police and a shelter, with the exchange, in a jurisdiction of their own."""
    place = Town(await jurisdictions(plan(*MEMBERS)), directory)
    nodes = [node_process(place, "police", "police_intake"), node_process(place, "shelter", "shelter")]
    exchange = place.exchange()
    try:
        for child in (exchange, *(node.child for node in nodes)):
            child.start()
        await place.found()
        for node in nodes:
            await eventually(node.is_ready)
        yield Street(place, *nodes)
    finally:
        for node in nodes:
            node.child.kill()
        await place.close()


def node_process(town: Town, member: str, service: str, *, broker: str | None = None) -> NodeProcess:
    """The node of ``member``, not started yet; ``broker`` where it looks elsewhere than at the town's."""
    port, health = free_port(), free_port()
    child = ChildProcess(
        name=member,
        argv=(sys.executable, "-m", f"services.{service}"),
        log=town.directory / f"{member}.log",
        env={CONFIG_VARIABLE: str(_configuration(town, member, (port, health), broker))},
        cwd=ROOT,
    )
    return NodeProcess(child, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{health}")


def _configuration(town: Town, member: str, ports: tuple[int, int], broker: str | None) -> Path:
    key_file = town.directory / f"{member}.key"
    key_file.write_text(key_of(member).seed.hex())
    kafka = _revealed(town.jurisdiction.kafka_settings(member))
    settings = {
        "jurisdiction": town.name,
        "generation": 1,
        "genesis_sha256": signing.sha256(codec.encode(town.genesis)),
        "member": member,
        "token": TOKEN,
        "kafka": kafka | ({"bootstrap_servers": broker} if broker else {}),
        "postgres": _revealed(town.jurisdiction.postgres_settings(member)),
        "signing_key_file": str(key_file),
        "idempotency_secret_file": str(key_file),
        "http": {"port": ports[0]},
        "health": {"port": ports[1]},
    }
    path = town.directory / f"{member}.toml"
    path.write_text(tomli_w.dumps(settings))
    return path


def _revealed(settings: KafkaSettings | PostgresSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_none=True) | {"password": settings.password.get_secret_value()}


def free_port() -> int:
    """Return a loopback port without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
