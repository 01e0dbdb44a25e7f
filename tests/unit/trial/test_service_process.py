"""A service of a trial, forked from the server process, as `ps` lists it."""

from pathlib import Path

import psutil
from pydantic import SecretStr

from handoff.config import HealthSettings, KafkaSettings, PostgresSettings, ProcessSettings
from handoff.trial.service_process import ServiceProcess
from handoff.trial.tcp_ports import PortBlock
from tests.support.parts.settings_file import write_settings
from tests.support.probes.eventually import eventually


async def test_the_title_of_a_forked_service_names_its_member(tmp_path: Path) -> None:
    """Its broker and its database do not run: it retries."""
    ports = PortBlock.reserve()
    settings = ProcessSettings(
        jurisdiction="small",
        generation=1,
        genesis_sha256="0" * 64,
        member="exchange",
        kafka=KafkaSettings(
            bootstrap_servers="127.0.0.1:9",
            username="exchange",
            password=SecretStr("none"),
            security_protocol="SASL_PLAINTEXT",
        ),
        postgres=PostgresSettings(host="127.0.0.1", port=9, database="d", user="u", password=SecretStr("none")),
        health=HealthSettings(port=ports.port(1)),
        signing_key_file=tmp_path / "exchange.key",
    )
    (tmp_path / "exchange.key").write_text("11" * 32, encoding="utf-8")
    config = write_settings(settings, tmp_path / "settings.toml")
    service = ServiceProcess("exchange", "services.exchange", config, tmp_path / "exchange.log")
    service.start()

    async def is_named() -> bool:
        assert service.running, service.log_tail()
        words = psutil.Process(service.pid).cmdline()
        return [word for word in words if word] == ["handoff: small exchange"]

    try:
        await eventually(is_named)
    finally:
        service.terminate()
        ports.release()
