"""The Kubernetes manifests match the code."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from handoff.config import CONFIG_VARIABLE, JurisdictionPlan, jurisdiction_plan, process_settings
from handoff.operations.setup.access import grants
from handoff.record import topics as declared
from infra.kubernetes.manifests import Manifest, manifests, process_manifests, resource_name

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@pytest.fixture(scope="module")
def plan() -> JurisdictionPlan:
    return jurisdiction_plan(Path("infra/prizren.toml"))


@pytest.fixture(scope="module")
def applied(plan: JurisdictionPlan) -> tuple[Manifest, ...]:
    return tuple(manifests(plan))


def _of(applied: tuple[Manifest, ...], kind: str) -> list[Manifest]:
    return [manifest for manifest in applied if manifest["kind"] == kind]


def test_each_topic_has_its_declared_settings(plan: JurisdictionPlan, applied: tuple[Manifest, ...]) -> None:
    specs = {manifest["spec"]["topicName"]: manifest["spec"] for manifest in _of(applied, "KafkaTopic")}
    wanted = declared.topics(plan.name, plan.member_ids)
    assert specs.keys() == {topic.name for topic in wanted}
    assert all(specs[topic.name]["config"].items() >= dict(topic.config).items() for topic in wanted)
    assert all(specs[topic.name]["partitions"] == topic.partitions for topic in wanted)


def test_each_user_has_exactly_the_declared_rights(plan: JurisdictionPlan, applied: tuple[Manifest, ...]) -> None:
    given = {(m["metadata"]["name"], *_right(acl)) for m in _of(applied, "KafkaUser") for acl in _acls(m)}
    wanted = grants(plan.name, plan.member_ids)
    assert given == {(resource_name(g.user), g.resource_type, g.resource, g.operation, "literal") for g in wanted}


@pytest.mark.parametrize("process", ["exchange", "projection", "monitor", "shelter"])
def test_an_institution_prints_the_manifests_of_its_own_process(
    process: str, plan: JurisdictionPlan, applied: tuple[Manifest, ...]
) -> None:
    """Log, monitor and witnesses are run by different institutions: none needs the Secrets of another."""
    own = tuple(process_manifests(plan, process))
    kinds = {manifest["kind"] for manifest in own}
    assert kinds >= {"ConfigMap", "Deployment", "PodMonitor"}
    # A Service offers an API, which only a node has.
    assert ("Service" in kinds) is (process == "shelter")
    assert all(manifest in applied for manifest in own)
    others = {user["metadata"]["name"] for user in _of(applied, "KafkaUser")} - {own[0]["metadata"]["name"]}
    text = json.dumps(own)
    assert not [name for name in others if f'"{name}-own"' in text]


def _acls(user: Manifest) -> list[dict[str, Any]]:
    acls: list[dict[str, Any]] = user["spec"]["authorization"]["acls"]
    return acls


def _right(acl: dict[str, Any]) -> tuple[str, str, str, str]:
    (operation,) = acl["operations"]
    resource = acl["resource"]
    return resource["type"], resource["name"], operation.upper(), resource["patternType"]


def test_each_process_is_given_settings_that_it_accepts(
    applied: tuple[Manifest, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"HANDOFF_GENESIS_SHA256": "0" * 64, "HANDOFF_CALLERS": json.dumps({"police": "0" * 64})}
    wanted = {pod["metadata"]["name"]: _variables(pod) for pod in _of(applied, "Deployment")}
    users = {manifest["metadata"]["name"] for manifest in _of(applied, "KafkaUser")}
    for manifest in _of(applied, "ConfigMap"):
        path = tmp_path / "process.toml"
        path.write_text(manifest["data"]["process.toml"])
        with monkeypatch.context() as environment:
            for variable in wanted[manifest["metadata"]["name"]] - {CONFIG_VARIABLE}:
                environment.setenv(variable, given.get(variable, "given by the cluster"))
            assert process_settings(path).kafka.username in users


def _variables(deployment: Manifest) -> set[str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"] for variable in container["env"]}


def test_each_process_runs_a_package_that_exists(applied: tuple[Manifest, ...]) -> None:
    for manifest in _of(applied, "Deployment"):
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        package = container["command"][-1].replace(".", "/")
        assert Path(package, "__init__.py").exists()


def test_names_are_what_kubernetes_allows_and_unique(applied: tuple[Manifest, ...]) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in applied]
    assert all(_NAME.fullmatch(name) for _, name in names)
    assert len(set(names)) == len(names)


def test_every_connection_off_a_pod_is_encrypted_and_verified(applied: tuple[Manifest, ...]) -> None:
    mounted = {
        mount["mountPath"]
        for manifest in _of(applied, "Deployment")
        for container in manifest["spec"]["template"]["spec"]["containers"]
        for mount in container["volumeMounts"]
    }
    for manifest in _of(applied, "ConfigMap"):
        settings = tomllib.loads(manifest["data"]["process.toml"])
        assert settings["kafka"]["security_protocol"] == "SASL_SSL"
        assert settings.get("audit", {"url": "https://"})["url"].startswith("https://")
        named = [settings[section][key] for section, key in _FILES if section in settings]
        assert len(named) >= 4
        assert {str(Path(file).parent) for file in named} <= mounted


_FILES = (
    ("kafka", "ca_file"),
    ("postgres", "ca_file"),
    ("http", "certificate_file"),
    ("http", "key_file"),
    ("health", "certificate_file"),
    ("health", "key_file"),
    ("timeline", "ca_file"),
    ("audit", "ca_file"),
)


def test_each_process_has_a_certificate_for_the_name_under_which_it_is_reached(applied: tuple[Manifest, ...]) -> None:
    certificates = {manifest["metadata"]["name"]: manifest["spec"] for manifest in _of(applied, "Certificate")}
    assert certificates.keys() == {manifest["metadata"]["name"] for manifest in _of(applied, "Deployment")}
    assert certificates.keys() >= {manifest["metadata"]["name"] for manifest in _of(applied, "Service")}
    assert all(name in spec["dnsNames"] for name, spec in certificates.items())


def test_each_process_reaches_only_its_parts_and_is_reached_only_over_https(applied: tuple[Manifest, ...]) -> None:
    policies = {manifest["metadata"]["name"]: manifest["spec"] for manifest in _of(applied, "NetworkPolicy")}
    assert policies.keys() == {manifest["metadata"]["name"] for manifest in _of(applied, "Deployment")}
    for spec in policies.values():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        ports = {port["port"]: rule["from"] for rule in spec["ingress"] for port in rule["ports"]}
        assert ports.keys() <= {8080, 9090}
        assert ports[9090] == [{"namespaceSelector": {"matchLabels": {"handoff/monitoring": "true"}}}]
        assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} <= {53, 9093, 5432, 8080}
        assert all(rule.get("to") for rule in spec["egress"] if rule["ports"][0]["port"] != 53)


def test_a_standby_without_every_acknowledged_commit_is_never_promoted() -> None:
    database = Path("infra/kubernetes/postgres.yaml").read_text(encoding="utf-8")
    assert re.search(r"synchronous:\n( {6}.*\n)* {6}failoverQuorum: true\n", database)


def test_figures_are_on_a_port_that_no_service_offers(applied: tuple[Manifest, ...]) -> None:
    """Probes and Prometheus use the port `health`; a service offers the API of a node alone."""
    ports = {port["targetPort"] for service in _of(applied, "Service") for port in service["spec"]["ports"]}
    assert ports == {"http"}
    containers = [pod["spec"]["template"]["spec"]["containers"][0] for pod in _of(applied, "Deployment")]
    probed = {c[probe]["httpGet"]["port"] for c in containers for probe in ("livenessProbe", "readinessProbe")}
    assert probed == {"health"}
    assert all("health" in {port["name"] for port in container["ports"]} for container in containers)
    monitors = _of(applied, "PodMonitor")
    assert len(monitors) == len(containers)
    assert {e["port"] for monitor in monitors for e in monitor["spec"]["podMetricsEndpoints"]} == {"health"}


def test_each_process_listens_on_the_ports_of_its_manifest(applied: tuple[Manifest, ...]) -> None:
    pods = {pod["metadata"]["name"]: pod["spec"]["template"]["spec"] for pod in _of(applied, "Deployment")}
    for manifest in _of(applied, "ConfigMap"):
        settings = tomllib.loads(manifest["data"]["process.toml"])
        listened = {name: settings[name]["port"] for name in ("http", "health") if name in settings}
        (container,) = pods[manifest["metadata"]["name"]]["containers"]
        assert listened == {port["name"]: port["containerPort"] for port in container["ports"]}
