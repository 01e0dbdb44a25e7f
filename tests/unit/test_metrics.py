"""Metrics: each belongs to a process, each process exports its own alone, and one outcome has one spelling."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from handoff import telemetry
from handoff.contract import metrics_page
from handoff.domain import commands
from handoff.node.commands import desk
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION

ROOT = Path(__file__).parents[2]
DEFINED: Mapping[str, MetricWrapperBase] = {
    name: metric for name, metric in vars(telemetry).items() if isinstance(metric, MetricWrapperBase)
}
# The adapters are shared: each process exports what it uses of them.
PACKAGES = {"exchange": EXCHANGE, "projection": PROJECTION, "web": telemetry.NODE, "node/commands": telemetry.NODE}


def _used(path: Path) -> Iterator[str]:
    """Yield the metrics that a module names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "telemetry":
            yield node.attr


def _label_values(path: Path) -> Iterator[str]:
    """Yield the label values that a module writes as literals."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "labels":
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def test_every_metric_is_exported_by_a_process() -> None:
    exported = {metric for metrics in telemetry.EXPORTED.values() for metric in metrics}
    assert [name for name, metric in DEFINED.items() if metric not in exported] == []


def test_every_metric_is_used() -> None:
    used = {name for path in (ROOT / "handoff").rglob("*.py") for name in _used(path)}
    # Its value is set where it is defined.
    assert DEFINED.keys() - used == {"BUILD"}


@pytest.mark.parametrize(("package", "process"), PACKAGES.items())
def test_a_process_exports_what_its_package_counts(package: str, process: str) -> None:
    used = {name for path in (ROOT / "handoff" / package).rglob("*.py") for name in _used(path)} & DEFINED.keys()
    assert [name for name in used if DEFINED[name] not in telemetry.EXPORTED[process]] == []


def test_the_page_is_the_code() -> None:
    """`docs/metrics.md` names every metric with its labels and its meaning."""
    assert metrics_page.PAGE.read_text() == metrics_page.page()


@pytest.mark.parametrize(("member", "kind"), [(EXCHANGE, EXCHANGE), (MONITOR, MONITOR), ("shelter", telemetry.NODE)])
def test_a_process_exports_its_own_metrics_alone(member: str, kind: str) -> None:
    """Beside those of the Python client."""
    families = [f.name for f in text_string_to_metric_families(telemetry.exposition(member).decode())]
    own = {described.name for metric in telemetry.EXPORTED[kind] for described in metric.describe()}
    assert {name for name in families if name.startswith("handoff_")} == own
    assert "process_cpu_seconds" in families


def test_label_values_have_one_spelling() -> None:
    """Codes with underscores in lower case: not a class name, and no second code with hyphens."""
    values = {value for path in (ROOT / "handoff").rglob("*.py") for value in _label_values(path)} - {""}
    assert values, "the test finds no label"
    assert [value for value in values if not re.fullmatch(r"[a-z][a-z0-9_]*", value)] == []


def test_commands_and_their_outcomes_are_codes() -> None:
    """They are spelled as the API spells them."""
    assert desk.metric_label(commands.AcceptReferral) == "accept_referral"
    outcomes = {"refused", "not_valid", "precondition_failed", "idempotency_key_reused", "own_key_ended"}
    assert set(desk.OUTCOMES.values()) == outcomes
