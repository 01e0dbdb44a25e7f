"""The state directory has settings that each process accepts, and a trust policy that matches its keys."""

import tomllib
from pathlib import Path

import pytest
import tomli_w

from handoff.config import ConfigurationError, JurisdictionPlan, PlannedMember, jurisdiction_plan
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.new_key import create_log_key, create_witness_key
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.installation import Installation
from handoff.operations.setup.jurisdiction import Jurisdiction, new_passwords
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.operations.setup.stored_secrets import StoredSecrets
from handoff.operations.trust_keys import add_key, end_key
from handoff.proof.log.checkpoint import Origin, cosigner_key
from handoff.proof.verify.trust import TrustPolicy
from handoff.record import codec, signing
from handoff.record.topics import AUDIT, PROJECTION, agencies
from tests.support.dsl.builders import T0, after
from tests.support.parts.stack import PRIZREN


def installation(directory: Path, plan: JurisdictionPlan) -> Installation:
    operators = KafkaOperator("127.0.0.1:9092", "operator", ""), DatabaseOperator("127.0.0.1", 5432, "operator", "")
    jurisdiction = Jurisdiction(plan, *operators, new_passwords(plan))
    return Installation(directory, jurisdiction, lambda index: 9000 + index)


def install(directory: Path, plan: JurisdictionPlan) -> InstallationSettings:
    installation(directory, plan).write(T0)
    return InstallationSettings(directory)


def trust(directory: Path) -> TrustPolicy:
    return TrustPolicy.parse((directory / "trust.policy").read_bytes())


@pytest.fixture
def plan() -> JurisdictionPlan:
    return jurisdiction_plan(PRIZREN)


@pytest.fixture
def audited(plan: JurisdictionPlan) -> JurisdictionPlan:
    """The plan with a process for its audit."""
    members = (m.model_copy(update={"service": "audit"}) if m.id == AUDIT else m for m in plan.members)
    return plan.model_copy(update={"members": tuple(members)})


def test_the_trust_file_names_the_log_that_the_projection_signs_for(tmp_path: Path, plan: JurisdictionPlan) -> None:
    """The log's key is the projection's, and its record begins with the founding event."""
    projection = install(tmp_path, plan).process(PROJECTION)
    (log,) = trust(tmp_path).logs.values()
    assert projection.signing_key_file == StoredSecrets(tmp_path).key_file(PROJECTION)
    assert [key.public_key for key in log.key.public_keys] == [StoredSecrets(tmp_path).key(PROJECTION).public_key]
    assert log.genesis_hash == projection.genesis_sha256


def test_each_agency_cosigns_with_the_key_that_the_trust_file_names(tmp_path: Path, plan: JurisdictionPlan) -> None:
    """The key is another one than that of its events, and members that are no agencies have none."""
    installed, witnesses = install(tmp_path, plan), trust(tmp_path).witnesses
    for settings in installed.processes:
        if settings.checkpoints is None or settings.checkpoints.witness_key_file is None:
            assert settings.member not in agencies(plan.member_ids)
            continue
        key = signing.SigningKey.from_hex(settings.checkpoints.witness_key_file.read_text())
        assert settings.checkpoints.witness_key_file != settings.signing_key_file
        assert witnesses[settings.member] == cosigner_key(plan.name, settings.member, key.public_key)
    assert witnesses.keys() == {"monitor", *agencies(plan.member_ids)}


def test_the_monitor_and_a_majority_of_the_agencies_suffice(tmp_path: Path, plan: JurisdictionPlan) -> None:
    """One agency fewer, or no monitor, is not enough."""
    install(tmp_path, plan)
    quorum, names = trust(tmp_path).quorum, agencies(plan.member_ids)
    majority = names[: len(names) // 2 + 1]
    assert quorum.is_met_by(frozenset({"monitor", *majority}))
    assert not quorum.is_met_by(frozenset({"monitor", *majority[1:]}))
    assert not quorum.is_met_by(frozenset(names))


def test_a_newcomer_is_added_to_the_trust_file_and_everyone_keeps_their_keys(
    tmp_path: Path, plan: JurisdictionPlan
) -> None:
    """Founding again renews the trust file and changes no key."""
    install(tmp_path, plan)
    before = trust(tmp_path)
    newcomer = PlannedMember(id="clinic", service="partner")
    install(tmp_path, plan.model_copy(update={"members": (*plan.members, newcomer)}))
    after = trust(tmp_path)
    assert after.logs == before.logs
    assert after.witnesses.items() > before.witnesses.items()
    assert after.witnesses.keys() - before.witnesses.keys() == {"clinic"}


def test_a_rotation_of_the_proof_keys_survives_the_next_init(tmp_path: Path, plan: JurisdictionPlan) -> None:
    """`init` keeps the keys and ends of the trust file, and the settings that name the next keys."""
    install(tmp_path, plan)
    origin, path = Origin(plan.name, plan.generation), tmp_path / "trust.policy"
    monitor, old = tmp_path / "config" / "monitor.toml", trust(tmp_path)
    add_key(path, str(create_log_key(tmp_path / "keys" / "projection.next.key", origin)))
    next_monitor = tmp_path / "keys" / "monitor.next.key"
    add_key(path, str(create_witness_key(next_monitor, plan.name, "monitor")))
    (key,) = old.logs[str(origin)].key.public_keys
    end_key(path, key.short, 17)
    settings = tomllib.loads(monitor.read_text())
    settings["checkpoints"]["next_witness_key_file"] = str(next_monitor)
    monitor.write_text(tomli_w.dumps(settings))
    rotated = path.read_bytes()
    after = install(tmp_path, plan).process("monitor").checkpoints
    assert path.read_bytes() == rotated
    assert after is not None
    assert after.next_witness_key_file == next_monitor


def test_init_does_not_write_over_a_trust_file_that_it_cannot_read(tmp_path: Path, plan: JurisdictionPlan) -> None:
    install(tmp_path, plan)
    (tmp_path / "trust.policy").write_text("damaged")
    with pytest.raises(ConfigurationError, match="from a backup"):
        install(tmp_path, plan)


def test_every_member_has_a_token_that_the_audit_knows_by_its_hash(tmp_path: Path, audited: JurisdictionPlan) -> None:
    """The audit knows no other token but its own; each member knows where the audit is."""
    installed = install(tmp_path, audited)
    audit = installed.process(AUDIT)
    assert audit.timeline is not None
    assert audit.timeline.user == f"{audited.name}_projection_reader"
    assert audit.callers.keys() == set(audited.member_ids)
    for settings in installed.processes:
        if settings.member in audited.member_ids:
            assert settings.audit is not None
            assert audit.http is not None
            assert settings.audit.url == f"http://127.0.0.1:{audit.http.port}"
            assert audit.callers[settings.member] == signing.sha256(settings.audit.token.get_secret_value().encode())


def test_without_an_audit_process_no_node_asks_it_for_receipts(tmp_path: Path, plan: JurisdictionPlan) -> None:
    """Settings name no process that does not exist."""
    without = (m.model_copy(update={"service": None}) if m.id == AUDIT else m for m in plan.members)
    installed = install(tmp_path, plan.model_copy(update={"members": tuple(without)}))
    assert all(settings.audit is None for settings in installed.processes)


def test_founding_events_have_the_same_bytes_whenever_they_are_made(tmp_path: Path, plan: JurisdictionPlan) -> None:
    """A coordinator that lost its database emits the founding again; a new member is admitted when it is added."""
    first = [codec.encode(event) for event in installation(tmp_path, plan).founding_events(T0)]
    newcomer = PlannedMember(id="housing_office", service="partner")
    larger = plan.model_copy(update={"members": (*plan.members, newcomer)})
    again = list(installation(tmp_path, larger).founding_events(after(days=30)))
    assert [raw for raw in map(codec.encode, again) if raw in first] == first
    assert {event.time for event in again if codec.encode(event) not in first} == {after(days=30)}


def _with_member(plan: JurisdictionPlan, index: int, member: str) -> JurisdictionPlan:
    added = PlannedMember(id=member, service="partner")
    return plan.model_copy(update={"members": (*plan.members[:index], added, *plan.members[index:])})


def _ports(directory: Path, plan: JurisdictionPlan) -> dict[str, int]:
    return {process.id: process.port for process in installation(directory, plan).write(T0)}


@pytest.mark.parametrize("index", [0, 2])
def test_a_member_that_is_added_anywhere_in_the_plan_moves_no_port(
    index: int, tmp_path: Path, plan: JurisdictionPlan
) -> None:
    before = _ports(tmp_path, plan)
    after_it = _ports(tmp_path, _with_member(plan, index, "housing_office"))
    assert before.items() <= after_it.items()
    assert len(set(after_it.values())) == len(after_it)
    written = InstallationSettings(tmp_path).process("housing_office").http
    assert written is not None
    assert written.port == after_it["housing_office"]


def test_a_member_that_left_the_plan_and_returns_has_its_port_again(tmp_path: Path, plan: JurisdictionPlan) -> None:
    """In between, its port is given to no other process."""
    with_it = _ports(tmp_path, _with_member(plan, 1, "housing_office"))
    without = _ports(tmp_path, _with_member(plan, 0, "school"))
    assert without["school"] not in with_it.values()
    assert _ports(tmp_path, _with_member(plan, 3, "housing_office")) == with_it


def _edit(path: Path, **sections: object) -> None:
    stored = tomllib.loads(path.read_text(encoding="utf-8"))
    for name, value in sections.items():
        stored[name] = {**stored.get(name, {}), **value} if isinstance(value, dict) else value
    path.write_text(tomli_w.dumps(stored), encoding="utf-8")


def test_a_repetition_keeps_what_an_operator_has_set(tmp_path: Path, audited: JurisdictionPlan) -> None:
    """Certificates, addresses of other machines and sections of the process itself are not known to the plan."""
    install(tmp_path, audited)
    config = tmp_path / "config" / "police.toml"
    certificate = {"host": "10.0.0.5", "certificate_file": "/etc/tls.crt", "key_file": "/etc/tls.key"}
    remote = {"url": "https://audit.example", "ca_file": "/etc/ca.crt"}
    _edit(config, http=certificate, audit=remote, log={"level": "debug"}, instance="first")
    before = InstallationSettings(tmp_path).process("police")
    after_it = install(tmp_path, _with_member(audited, 0, "housing_office")).process("police")
    assert (after_it.http, after_it.audit) == (before.http, before.audit)
    assert (after_it.log.level, after_it.instance) == ("debug", "first")
    assert after_it.audit is not None
    assert after_it.audit.url == "https://audit.example"


def test_a_repetition_replaces_what_follows_from_the_plan(tmp_path: Path, audited: JurisdictionPlan) -> None:
    install(tmp_path, audited)
    audit, police = (tmp_path / "config" / f"{name}.toml" for name in (AUDIT, "police"))
    _edit(audit, callers={"removed_member": "0" * 64})
    _edit(police, kafka={"username": "another"}, postgres={"user": "another"})
    again = install(tmp_path, audited)
    assert "removed_member" not in again.process(AUDIT).callers
    assert again.process("police").kafka.username == "prizren-police"
    assert again.process("police").postgres.user == "prizren_police"


def test_a_file_that_cannot_be_read_is_written_again(tmp_path: Path, plan: JurisdictionPlan) -> None:
    install(tmp_path, plan)
    config = tmp_path / "config" / "police.toml"
    config.write_text("no toml [", encoding="utf-8")
    assert install(tmp_path, plan).process("police").member == "police"
