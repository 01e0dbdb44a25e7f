"""An institution's proxy is for the internet: the parts of an installation are asked directly."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from handoff.adapters.http.audit_client import AuditClient
from handoff.adapters.http.proxies import is_internal
from handoff.config import AuditSettings, HealthSettings, KafkaSettings, PostgresSettings, ProcessSettings
from handoff.operations.doctor.processes import ask_process
from handoff.record.envelope import Identity
from tests.support.dsl.spec import CASE, nth_id

NOWHERE = "http://127.0.0.1:9"
"""A proxy that reaches nothing on this machine, as an institution's would not."""

RECEIPT = Identity(str(CASE), "/small/1/police", nth_id(1))
_SIGNED = {"case": RECEIPT.subject, "source": RECEIPT.source, "id": str(RECEIPT.event_id), "receipt": "signed"}


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that an administrator sets for a whole machine."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A part on this machine that answers every request: it is ready, and holds one receipt."""
    body = json.dumps({"parts": [], "receipts": [_SIGNED]})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"{head}\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def settings(port: int) -> ProcessSettings:
    return ProcessSettings(
        jurisdiction="small",
        generation=1,
        genesis_sha256="0" * 64,
        member="police",
        kafka=KafkaSettings(bootstrap_servers="127.0.0.1:9", username="police", password=SecretStr("none")),
        postgres=PostgresSettings(host="127.0.0.1", port=9, database="none", user="none", password=SecretStr("none")),
        health=HealthSettings(port=port),
    )


async def receipts(port: int) -> dict[Identity, Any]:
    client = AuditClient(AuditSettings(url=f"http://127.0.0.1:{port}", token=SecretStr("token")))
    try:
        return dict(await client.receipts([RECEIPT]))
    finally:
        await client.close()


async def test_receipts_arrive_and_a_ready_part_is_ok_without_a_proxy(port: int) -> None:
    """The control, without which the next tests would show nothing."""
    assert await receipts(port) == {RECEIPT: b"signed"}
    assert (await ask_process(settings(port))).finding.state == "ok"


@pytest.mark.usefixtures("proxied")
async def test_receipts_arrive_behind_a_proxy(port: int) -> None:
    assert await receipts(port) == {RECEIPT: b"signed"}


@pytest.mark.usefixtures("proxied")
async def test_a_ready_part_is_ok_behind_a_proxy(port: int) -> None:
    assert (await ask_process(settings(port))).finding.state == "ok"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8081",
        "http://[::1]:8081/receipts",
        "http://localhost:8081",
        "https://10.1.2.3",
        "https://192.168.0.7:8443",
        "http://audit:8081",
        "http://audit.prizren.svc:8081",
        "https://audit.prizren.svc.cluster.local.",
    ],
)
def test_a_part_of_the_installation_is_asked_directly(url: str) -> None:
    assert is_internal(url)


@pytest.mark.parametrize(
    "url", ["https://audit.example.org", "https://8.8.8.8", "https://local.example", "https://svc.example"]
)
def test_another_institution_may_be_behind_the_proxy(url: str) -> None:
    assert not is_internal(url)
