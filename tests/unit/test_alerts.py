"""Alerts: each fires on its fault and not before, names a section of the runbook, and reads metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from handoff.telemetry import EXPORTED

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "infra" / "grafana" / "handoff.json"
RUNBOOK = "https://runbook.example/runbook.md"
TARGET = {"job": "handoff", "instance": "node:1", "member": "csw"}


@dataclass(frozen=True)
class Story:
    """Samples of a fault, one for each minute, the minute of the last silence, and that of the alert with its summary.

    ``labels`` are those of the series beside the target's; ``lost`` are the target's labels that the alert lacks.
    """

    series: dict[str, str]
    silent: int
    fires: int
    summary: str
    labels: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()


def _born(metric: str, summary: str, *labels: tuple[str, str]) -> Story:
    """A counter that appears with its first event."""
    return Story({metric: "_ _ _ 1 1 1"}, 2, 3, summary, labels)


STORIES = {
    "HandoffProcessDown": Story({"up": "1 1 0 0 0 0"}, 3, 4, "node:1 has not answered Prometheus for two minutes"),
    "HandoffExchangeDoesNotRoute": Story(
        {"handoff_routing_epoch": "3 3 0 0 0"}, 2, 3, "No exchange routes: nothing is delivered",
        lost=("job", "instance", "member"),
    ),
    "HandoffNodeDoesNotLead": Story(
        {"handoff_node_epoch": "2 2 0 0 0"}, 2, 3, "No process of csw relays or folds", lost=("job", "instance")
    ),
    "HandoffCommandsPending": Story(
        {"handoff_outbox_oldest_seconds": "0 60 120 180 240"}, 3, 4,
        "The oldest event of csw has waited 4m 0s for the record",
    ),
    "HandoffInboxStopped": _born("handoff_inbox_alarms_total", "The inbox of csw has stopped: gap", ("why", "gap")),
    "HandoffDependencyUnavailable": Story(
        {"handoff_dependency_available": "1 0 0 0"}, 2, 3, "node:1 gets no answer from its broker",
        (("dependency", "broker"),),
    ),
    "HandoffSendFailures": Story(
        {"handoff_send_failures_total": "0 0+1x20"}, 11, 12, "The broker does not acknowledge what node:1 sends"
    ),
    "HandoffRequestsFail": Story(
        {
            'handoff_request_seconds_count{status="200"}': "0+90x30",
            'handoff_request_seconds_count{status="503"}': "0x5 0+10x25",
        },
        9, 20, "10% of the requests to csw fail", lost=("job", "instance"),
    ),
    "HandoffRecordTime": Story(
        {"handoff_record_clock_skew_seconds": "0 -300 -301"}, 1, 2, "The clocks of broker and exchange differ by 5m 1s"
    ),
    "HandoffForeignEcho": Story(
        {"handoff_foreign_echoes_total": "0 0 1"}, 1, 2, "The record has an event of csw that its node did not send"
    ),
    "HandoffOwnKeyEvent": _born(
        "handoff_own_key_events_total",
        "The record has key-registered about a key of csw that is no step of its rotation",
        ("type", "key-registered"),
    ),
    "HandoffEquivocation": Story(
        {"handoff_own_equivocations_total": "0 0 1"}, 1, 2, "csw has said two different things under one id"
    ),
    "HandoffRecordAlarm": _born(
        "handoff_record_alarms_total", "An entry of the record raised equivocation", ("reason", "equivocation")
    ),
    "HandoffReceiptAlarm": _born(
        "handoff_receipt_alarms_total", "A receipt of csw is missing or false: missing", ("reason", "missing")
    ),
    "HandoffWitnessAlarm": _born(
        "handoff_witness_alarms_total", "node:1 found a fault of the log: forked", ("reason", "forked")
    ),
    "HandoffVerdictsDiffer": _born(
        "handoff_verdict_alarms_total",
        "The timeline and the monitor have other verdicts: different",
        ("reason", "different"),
    ),
    "HandoffCheckpointAlarm": _born(
        "handoff_checkpoint_alarms_total", "The topic of checkpoints has a fault: malformed", ("reason", "malformed")
    ),
    "HandoffNoNewCheckpoint": Story(
        {"handoff_record_next_offset": "0+10x40", "handoff_checkpoint_size": "0+10x10 100x30"},
        20, 30, "The newest checkpoint lacks entries of ten minutes ago", lost=("job", "instance", "member"),
    ),
    "HandoffTimelineBehind": Story(
        {"handoff_record_next_offset": "0+10x40", "handoff_projection_offset": "0+10x10 100x30"},
        15, 25, "The timeline lacks entries of five minutes ago", lost=("job", "instance", "member"),
    ),
    "HandoffClockOff": Story(
        {"handoff_clock_offset_seconds": "0 -11 -11 -11 -11 -11 -11"}, 5, 6,
        "The clock of csw differs from record time by 11s",
    ),
    "HandoffEntryParked": _born(
        "handoff_parked_total", "A referral of csw is parked: unknown_type", ("reason", "unknown_type")
    ),
    "HandoffEntryQuarantined": _born(
        "handoff_quarantined_total", "csw cannot read an entry of its inbox: malformed", ("reason", "malformed")
    ),
    "HandoffRetentionFails": _born(
        "handoff_retention_failures_total", "node:1 cannot delete expired rows: sessions", ("kind", "sessions")
    ),
}  # fmt: skip


def _rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in _rules() if "alert" in rule}
RECORDED = {rule["record"] for rule in _rules() if "record" in rule}


def _promtool() -> str:
    script = ROOT / "infra" / "environment" / "promtool.sh"
    return subprocess.run((script,), stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _samples(story: Story) -> list[dict[str, str]]:
    samples = []
    for metric, values in story.series.items():
        name, _, own = metric.removesuffix("}").partition("{")
        labels = ",".join(
            [own] * bool(own) + [f'{key}="{value}"' for key, value in (TARGET | dict(story.labels)).items()]
        )
        samples.append({"series": f"{name}{{{labels}}}", "values": values})
    return samples


def _group(alert: str, story: Story) -> dict[str, Any]:
    labels = {key: value for key, value in TARGET.items() if key not in story.lost} | dict(story.labels)
    expected = {
        "exp_labels": labels | {"severity": ALERTS[alert]["labels"]["severity"]},
        "exp_annotations": {
            "summary": story.summary,
            "runbook_url": ALERTS[alert]["annotations"]["runbook_url"].replace(
                "{{ $externalLabels.handoff_runbook }}", RUNBOOK
            ),
        },
    }
    return {
        "interval": "1m",
        "external_labels": {"handoff_runbook": RUNBOOK},
        "input_series": _samples(story),
        "alert_rule_test": [
            {"eval_time": f"{story.silent}m", "alertname": alert, "exp_alerts": []},
            {"eval_time": f"{story.fires}m", "alertname": alert, "exp_alerts": [expected]},
        ],
    }


def test_each_alert_has_a_story() -> None:
    assert ALERTS.keys() == STORIES.keys()


def test_each_alert_fires_on_its_fault_and_is_silent_before(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path / "rules.yml")
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [_group(alert, story) for alert, story in STORIES.items()],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    promtool = _promtool()
    for arguments in (("check", "rules", "rules.yml"), ("test", "rules", "tests.yml")):
        done = subprocess.run((promtool, *arguments), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_names_a_section_of_the_runbook(alert: str) -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    _, _, anchor = ALERTS[alert]["annotations"]["runbook_url"].partition("#")
    assert anchor in anchors


def _metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\bhandoff[_:][\w:]+", expression)) - {"handoff_runbook"}


def _known() -> set[str]:
    known = set(RECORDED)
    for metric in {metric for metrics in EXPORTED.values() for metric in metrics}:
        (family,) = metric.describe()
        endings = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}[family.type]
        known |= {f"{family.name}{ending}" for ending in endings}
    return known


@pytest.mark.parametrize("rule", tuple(_rules()), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_reads_metrics_that_exist(rule: dict[str, Any]) -> None:
    assert _metrics_in(rule["expr"]) - _known() == set()


def test_the_dashboard_reads_metrics_that_exist() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    read = {name for panel in panels for target in panel.get("targets", []) for name in _metrics_in(target["expr"])}
    assert read
    assert read - _known() == set()
