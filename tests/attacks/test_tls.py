"""Off this machine, every connection is encrypted and its server verified, with certificates of a real authority."""

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import tomli_w
from confluent_kafka import KafkaException
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError

from handoff.adapters.http.audit_client import AuditClient
from handoff.adapters.http.server import http_server
from handoff.adapters.postgres.pool import open_pool
from handoff.config import (
    AuditSettings,
    ConfigurationError,
    HealthSettings,
    HttpSettings,
    KafkaSettings,
    PostgresSettings,
    ProcessSettings,
)
from handoff.node.attestation.receipts import AuditUnavailable
from handoff.operations.doctor.processes import ask_process
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.operations.setup.scram import scram_verifier
from handoff.record.envelope import Identity
from handoff.trial.tcp_ports import PortBlock
from handoff.trial.trial import Trial
from tests.support.dsl.spec import CASE, nth_id
from tests.support.parts.api import PLAN
from tests.support.parts.tls_parts import OTHER_HOST, Authority, TlsParts, tls_parts
from tests.support.probes.eventually import eventually

pytestmark = pytest.mark.slow

_HANDOFF = Path(sys.executable).with_name("handoff")
_REMOTE = "127.0.0.2"
_SECRET = SecretStr("secret")
_RECEIPT = Identity(str(CASE), "/small/1/police", nth_id(1))


@pytest.mark.parametrize("host", ["db.example", "10.0.0.5", "127.0.0.2", "[2001:db8::1]"])
@pytest.mark.parametrize("sslmode", ["disable", "prefer", "require"])
def test_a_remote_database_that_is_not_verified_is_refused(host: str, sslmode: str) -> None:
    """`require` encrypts for whatever server answers."""
    with pytest.raises(ValidationError, match="sslmode"):
        PostgresSettings(host=host, database="d", user="u", password=_SECRET, sslmode=sslmode)
    with pytest.raises(ConfigurationError, match="sslmode"):
        DatabaseOperator(host, 5432, "operator", "secret", sslmode=sslmode)


@pytest.mark.parametrize("servers", ["broker.example:9092", "localhost:9092,10.0.0.5:9092", "127.0.0.2:9092"])
def test_one_remote_broker_without_tls_is_refused(servers: str) -> None:
    with pytest.raises(ValidationError, match="security_protocol"):
        KafkaSettings(bootstrap_servers=servers, username="u", password=_SECRET, security_protocol="SASL_PLAINTEXT")
    with pytest.raises(ConfigurationError, match="security_protocol"):
        KafkaOperator(servers, "operator", "secret", "SASL_PLAINTEXT")
    assert KafkaOperator(servers, "operator", "secret").protocol == "SASL_SSL"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_this_machine_needs_no_certificate(host: str) -> None:
    assert "sslmode=prefer" in PostgresSettings(host=host, database="d", user="u", password=_SECRET).dsn
    assert AuditSettings(url="http://localhost:8081", token=_SECRET).url
    assert HttpSettings(host=host, port=8081).certificate_file is None


@pytest.mark.parametrize("url", ["http://audit.example", "http://127.0.0.2:8081", "ftp://localhost", "audit:8081"])
def test_a_token_is_sent_encrypted_or_not_at_all(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        AuditSettings(url=url, token=_SECRET)


def test_requests_of_other_machines_are_served_with_a_certificate_or_behind_a_proxy(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="certificate_file"):
        HttpSettings(host="0.0.0.0", port=8081)
    with pytest.raises(ValidationError, match="both or neither"):
        HttpSettings(port=8081, certificate_file=tmp_path / "one.pem")
    assert HttpSettings(host="0.0.0.0", port=8081, behind_proxy=True).behind_proxy
    with pytest.raises(ConfigurationError, match="certificate_file"):
        http_server(None, HttpSettings(port=8081, certificate_file=tmp_path / "a", key_file=tmp_path / "b"))


def test_a_verifier_has_the_form_of_postgresql() -> None:
    """The vector is the verifier that PostgreSQL 18 stored for this password."""
    stored = "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$"
    assert scram_verifier("password", bytes(range(16))).startswith(stored)
    assert scram_verifier("password") != scram_verifier("password")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that signed nothing here."""
    return Authority.create(tmp_path_factory.mktemp("other"))


@asynccontextmanager
async def served(authority: Authority, certified: str) -> AsyncIterator[HttpSettings]:
    """An audit at _REMOTE, with a certificate for the host ``certified``."""
    app = FastAPI()

    @app.post("/receipts")
    async def receipts() -> dict[str, object]:
        signed = {
            "case": _RECEIPT.subject,
            "source": _RECEIPT.source,
            "id": str(_RECEIPT.event_id),
            "receipt": "signed",
        }
        return {"receipts": [signed]}

    @app.get("/health/ready")
    async def ready() -> dict[str, object]:
        return {"ready": True, "parts": []}

    certificate = authority.certificate(certified)
    block = PortBlock.reserve()
    settings = HttpSettings(
        host=_REMOTE, port=block.port(1), certificate_file=certificate.chain, key_file=certificate.key
    )
    server = http_server(app, settings)
    task = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: _returned(server.started))
        yield settings
    finally:
        server.should_exit = True
        await task
        block.release()


async def _returned(value: bool) -> bool:  # noqa: FBT001 (a value)
    return value


async def received(settings: HttpSettings, ca_file: Path | None) -> dict[Identity, bytes]:
    url = f"https://{settings.host}:{settings.port}"
    client = AuditClient(AuditSettings(url=url, token=_SECRET, ca_file=ca_file))
    try:
        return dict(await client.receipts([_RECEIPT]))
    finally:
        await client.close()


async def test_receipts_come_over_https_from_a_verified_audit_alone(authority: Authority, other: Authority) -> None:
    async with served(authority, _REMOTE) as settings:
        assert await received(settings, authority.file) == {_RECEIPT: b"signed"}
        for ca_file in (other.file, None):
            with pytest.raises(AuditUnavailable):
                await received(settings, ca_file)
    async with served(authority, OTHER_HOST) as settings:
        with pytest.raises(AuditUnavailable):
            await received(settings, authority.file)


async def test_the_doctor_asks_a_process_that_serves_https(authority: Authority) -> None:
    async with served(authority, _REMOTE) as http:
        settings = ProcessSettings(
            jurisdiction="small",
            generation=1,
            genesis_sha256="0" * 64,
            member="police",
            kafka=KafkaSettings(bootstrap_servers="127.0.0.1:9", username="police", password=_SECRET),
            postgres=PostgresSettings(host="127.0.0.1", port=9, database="d", user="u", password=_SECRET),
            health=HealthSettings.model_validate(http.model_dump(include=set(HealthSettings.model_fields))),
        )
        assert (await ask_process(settings)).finding.state == "ok"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsParts]:
    with tls_parts(tmp_path_factory.mktemp("remote")) as parts:
        yield parts


def _init(state: Path, plan: Path, remote: TlsParts, logins: dict[str, str]) -> tuple[int, str]:
    kafka, postgres = remote.kafka.bootstrap_servers, f"{remote.postgres.host}:{remote.postgres.port}"
    argv: list[str | Path] = [
        _HANDOFF,
        "init",
        "--state",
        state,
        "--plan",
        plan,
        "--kafka",
        kafka,
        "--postgres",
        postgres,
    ]
    done = subprocess.run(argv, env={**os.environ, **logins}, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.timeout(240)
async def test_an_installation_off_this_machine_works_and_every_connection_is_encrypted(
    remote: TlsParts, tmp_path: Path
) -> None:
    """`handoff init` sets both parts up, a node, the exchange, the projection and the monitor run on them."""
    plan = tmp_path / "plan.toml"
    plan.write_text(tomli_w.dumps(PLAN.model_dump(mode="json", exclude_none=True)), encoding="utf-8")
    state = tmp_path / "state"
    kafka, postgres = remote.kafka, remote.postgres
    logins = {
        "HANDOFF_KAFKA_OPERATOR": kafka.username,
        "HANDOFF_KAFKA_OPERATOR_PASSWORD": kafka.password,
        "HANDOFF_KAFKA_OPERATOR_CA_FILE": str(remote.authority.file),
        "HANDOFF_POSTGRES_OPERATOR": postgres.user,
        "HANDOFF_POSTGRES_OPERATOR_PASSWORD": postgres.password,
        "HANDOFF_POSTGRES_OPERATOR_CA_FILE": str(remote.authority.file),
    }
    code, errors = await asyncio.to_thread(_init, state, plan, remote, logins)
    assert code == 0, errors
    passwords = json.loads((state / "passwords.json").read_text(encoding="utf-8"))["postgres"]
    assert not [role for role, password in passwords.items() if password in remote.database_log]
    assert "SCRAM-SHA-256$" in remote.database_log
    written = tomllib.loads((state / "config" / "police.toml").read_text(encoding="utf-8"))
    assert written["kafka"]["security_protocol"] == "SASL_SSL"
    assert written["postgres"]["ca_file"] == str(remote.authority.file)

    trial = Trial(state, PLAN, lambda _stage: None, kafka=kafka, postgres=postgres)
    try:
        await asyncio.to_thread(trial.start)
        assert remote.front.encrypted > len(PLAN.members)
        assert remote.front.plain == 0
    finally:
        await asyncio.to_thread(trial.stop)


@pytest.mark.timeout(120)
async def test_a_server_with_another_certificate_is_refused(remote: TlsParts, other: Authority) -> None:
    """The wrong authority, and a right one for another host."""
    operator = remote.postgres
    for host, ca_file in ((operator.host, other.file), (OTHER_HOST, remote.authority.file)):
        settings = PostgresSettings(
            host=host,
            port=operator.port,
            database="postgres",
            user=operator.user,
            password=SecretStr(operator.password),
            ca_file=ca_file,
        )
        with pytest.raises(OSError, match="certificate verify failed"):
            async with open_pool(settings, max_size=1) as pool:
                await pool.fetchval("SELECT 1")
    wrong = KafkaOperator(
        remote.kafka.bootstrap_servers, remote.kafka.username, remote.kafka.password, ca_file=other.file
    )
    with pytest.raises(KafkaException):
        wrong.client().list_topics(timeout=5)
