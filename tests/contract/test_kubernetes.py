"""The Kubernetes manifests match the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from handoff.config import CONFIG_VARIABLE, JurisdictionPlan, jurisdiction_plan, process_settings
from handoff.operations.setup.access import grants
from handoff.record import topics as declared
from infra.kubernetes.manifests import Manifest, manifests, resource_name

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
