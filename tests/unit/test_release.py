"""The release is the same in the command, in health, in metrics and in logs."""

import io
import json
import logging
from collections.abc import Iterator
from importlib.metadata import version

import httpx
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from handoff import logging_setup, telemetry
from handoff.adapters.http.probes import probes
from handoff.cli.app import app
from handoff.readiness import Readiness

RELEASE = version("handoff")


@pytest.fixture
def restored_logging() -> Iterator[None]:
    before, handlers = structlog.get_config(), list(logging.root.handlers)
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.captureWarnings(capture=False)


def test_the_command_prints_it() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"handoff {RELEASE}\n"


async def test_readiness_names_it() -> None:
    transport = httpx.ASGITransport(probes("monitor", lambda: Readiness.of(())))
    async with httpx.AsyncClient(transport=transport, base_url="http://process") as http:
        assert (await http.get("/health/ready")).json()["release"] == RELEASE


@pytest.mark.parametrize("member", telemetry.EXPORTED)
def test_the_metrics_of_each_process_name_it(member: str) -> None:
    families = text_string_to_metric_families(telemetry.exposition(member).decode())
    (build,) = (family for family in families if family.name == "handoff_build_info")
    assert [(sample.labels, sample.value) for sample in build.samples] == [({"release": RELEASE}, 1.0)]


@pytest.mark.usefixtures("restored_logging")
def test_each_line_of_the_log_names_it() -> None:
    stream = io.StringIO()
    logging_setup.set_up_logging(process="police", stream=stream)
    structlog.get_logger().info("node.started")
    line = json.loads(stream.getvalue())
    assert (line["process"], line["release"], line["event"]) == ("police", RELEASE, "node.started")
