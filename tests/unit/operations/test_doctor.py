"""Doctor: a bad file, a missing configuration, a wrong key or a wrong clock is named, and all else is examined."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

import asyncpg
import pytest

from handoff.adapters.http.probes import serve_probes
from handoff.bootstrap.node import build_intake
from handoff.config import HealthSettings, ProcessSettings, jurisdiction_plan
from handoff.domain.directory import Directory, Key
from handoff.operations.doctor.clocks import ClockReading, checkpoint_reading, clock_findings, http_reading
from handoff.operations.doctor.examination import examine_installation
from handoff.operations.doctor.findings import DoctorFinding
from handoff.operations.doctor.keys import signing_key_findings
from handoff.operations.doctor.processes import ask_process
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.new_key import create_log_key
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.installation import Installation
from handoff.operations.setup.jurisdiction import Jurisdiction, new_passwords
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.operations.setup.plan_file import store_plan
from handoff.operations.trust_keys import add_key, end_key
from handoff.proof.verify.trust import TrustPolicy
from handoff.readiness import PartReadiness, Readiness
from handoff.record.codes import KeyUse
from handoff.record.delivery import BrokenDelivery, DeliveryFault
from handoff.record.envelope import Source
from handoff.record.signing import SigningKey, key_id
from tests.support.dsl.builders import T0
from tests.support.parts.node_process import free_port
from tests.support.parts.stack import PRIZREN

_NOWHERE = 9
"""Port on which nothing listens: the parts of this installation do not run."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An installation whose parts do not run."""
    plan = jurisdiction_plan(PRIZREN)
    operators = (
        KafkaOperator(f"127.0.0.1:{_NOWHERE}", "operator", ""),
        DatabaseOperator("127.0.0.1", _NOWHERE, "operator", ""),
    )
    jurisdiction = Jurisdiction(plan, *operators, new_passwords(plan))
    Installation(tmp_path, jurisdiction, lambda index: _NOWHERE + 1 + index).write(T0)
    store_plan(tmp_path, PRIZREN)
    return tmp_path


async def examined(directory: Path) -> dict[str, list[DoctorFinding]]:
    """Findings by part."""
    found: dict[str, list[DoctorFinding]] = {}
    for finding in await examine_installation(InstallationSettings(directory)):
        found.setdefault(finding.part, []).append(finding)
    return found


def texts(findings: Sequence[DoctorFinding]) -> str:
    return " ".join(f"{finding.state}: {finding.finding} {finding.advice}" for finding in findings)


async def test_a_missing_secret_for_idempotency_keys_is_named_with_its_cure(directory: Path) -> None:
    secret = directory / "keys" / "shelter.idempotency.key"
    secret.unlink()
    found = texts((await examined(directory))["shelter"])
    assert f"bad: its key {secret} is missing" in found
    assert "restore the file from a backup" in found
    assert "register a new key" not in found


async def test_a_planned_member_without_a_configuration_is_named(directory: Path) -> None:
    (directory / "config" / "shelter.toml").unlink()
    found = await examined(directory)
    assert "bad: is planned and has no configuration" in texts(found["shelter"])
    assert "handoff init" in texts(found["shelter"])
    assert "does not respond" in texts(found["police"])


@pytest.mark.parametrize("content", ["no toml [", 'member = "police"\n', "\udcff"], ids=["toml", "keys", "bytes"])
async def test_one_bad_configuration_does_not_hide_the_other_parts(directory: Path, content: str) -> None:
    path = directory / "config" / "police.toml"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    found = await examined(directory)
    assert str(path) in texts(found["police"])
    assert "no configuration" not in texts(found["police"])
    assert "does not respond" in texts(found["shelter"])
    assert {"trust anchor", "kafka", "checkpoint", "clocks"} <= found.keys()


@pytest.mark.parametrize(
    ("file", "part"), [("trust.policy", "checkpoint"), ("passwords.json", "checkpoint"), ("plan.toml", "plan")]
)
async def test_another_bad_file_is_a_finding_and_all_else_is_examined(directory: Path, file: str, part: str) -> None:
    (directory / file).write_text("{ not what it should be", encoding="utf-8")
    found = await examined(directory)
    assert "bad" in texts(found[part])
    assert "does not respond" in texts(found["shelter"])
    assert "does not respond" in texts(found["exchange"])


async def test_a_file_of_another_key_is_found_before_anything_is_signed(directory: Path) -> None:
    """The log's key and the witnesses' keys are in the trust file, which needs no database."""
    keys = directory / "keys"
    (keys / "projection.key").write_text("11" * 32, encoding="utf-8")
    (keys / "police.witness.key").write_text("22" * 32, encoding="utf-8")
    (keys / "shelter.key").write_text("not a key", encoding="utf-8")
    found = await examined(directory)
    assert "wrong log key" in texts(found["projection"])
    assert "wrong witness key" in texts(found["police"])
    assert "no private key" in texts(found["shelter"])


async def test_the_keys_of_the_log_and_of_a_witness_are_named_through_a_rotation(directory: Path) -> None:
    keys, path, origin = directory / "keys", directory / "trust.policy", InstallationSettings(directory).origin
    (old,) = TrustPolicy.parse(path.read_bytes()).logs[str(origin)].key.public_keys
    assert f"ok: log key {old.short}" in texts((await examined(directory))["projection"])
    following = create_log_key(keys / "projection.next.key", origin)
    config = directory / "config" / "projection.toml"
    config.write_text(f'next_signing_key_file = "{keys / "projection.next.key"}"\n{config.read_text()}')
    assert f"bad: wrong log key: {keys / 'projection.next.key'}" in texts((await examined(directory))["projection"])
    add_key(path, str(following))
    end_key(path, old.short, 12)
    found = texts((await examined(directory))["projection"])
    assert f"log key {old.short} ended at size 12 move the next key to this setting" in found
    assert f"ok: log key {following.short}" in found
    assert "wrong log key" not in found


def _settings(directory: Path) -> ProcessSettings:
    return InstallationSettings(directory).process("police")


def _known(key: SigningKey, **fields: object) -> Directory:
    identifier = key_id(key.public_key)
    known = Key(identifier, "police", KeyUse.SIGNING, key.public_key.hex(), **fields)  # type: ignore[arg-type]
    return Directory("prizren", 1, founded=True, keys={identifier: known})


def test_a_key_in_force_is_no_finding(directory: Path) -> None:
    key = SigningKey.from_hex("11" * 32)
    assert list(signing_key_findings(_settings(directory), key, _known(key))) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"revoked": True}, "is revoked"), ({"retired_at": T0 - timedelta(days=3000)}, "was retired at")],
    ids=["revoked", "retired"],
)
def test_a_key_that_ended_is_named_with_what_ended_it(directory: Path, fields: dict[str, object], words: str) -> None:
    key = SigningKey.from_hex("11" * 32)
    found = list(signing_key_findings(_settings(directory), key, _known(key, **fields)))
    assert words in texts(found)
    assert "register a new key" in texts(found)
    assert "itself" not in texts(found)


def test_a_key_of_another_member_is_named_with_the_key_in_force(directory: Path) -> None:
    registered, other = SigningKey.from_hex("11" * 32), SigningKey.from_hex("22" * 32)
    found = texts(list(signing_key_findings(_settings(directory), other, _known(registered))))
    assert "wrong signing key" in found
    assert key_id(registered.public_key)[:12] in found
    assert key_id(other.public_key)[:12] in found


def _reading(part: str, ahead: float, uncertain: float = 0.5) -> ClockReading:
    return ClockReading(part, timedelta(seconds=ahead - uncertain), timedelta(seconds=ahead + uncertain))


def test_clocks_that_agree_are_ok_and_listed() -> None:
    [found] = clock_findings([_reading("Kafka", 0.4), _reading("police", -1.9)])
    assert found.state == "ok"
    assert "Kafka, police" in found.finding


@pytest.mark.parametrize(("ahead", "direction"), [(3600, "3600 s ahead of"), (-90, "90 s behind")])
def test_a_clock_that_differs_is_named_with_its_direction(ahead: float, direction: str) -> None:
    [found] = clock_findings([_reading("Kafka", 0), _reading("police", ahead)])
    assert found.state == "bad"
    assert f"police is {direction}" in found.finding
    assert "Kafka is" not in found.finding


def test_if_all_clocks_differ_this_machine_may_be_wrong() -> None:
    [found] = clock_findings([_reading("Kafka", 60), _reading("police", 60)])
    assert "which may be the wrong one" in found.finding


def test_an_uncertain_reading_is_no_difference() -> None:
    [found] = clock_findings([_reading("police", 5, uncertain=4)])
    assert found.state == "ok"


def test_the_clock_behind_a_response_is_bounded_by_its_round_trip() -> None:
    """The header has whole seconds: its clock is up to a second later than it shows."""
    date = (T0 + timedelta(seconds=100)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    found = http_reading("police", date, T0, T0 + timedelta(seconds=1))
    assert found is not None
    assert (found.lowest.total_seconds(), found.highest.total_seconds()) == (99, 101)
    assert http_reading("police", None, T0, T0) is None
    assert http_reading("police", "yesterday", T0, T0) is None


@pytest.mark.parametrize("ahead", [0, 3600, -3600])
def test_the_broker_s_clock_follows_from_append_times_of_checkpoints(ahead: int) -> None:
    """One checkpoint was published late; the record did not grow, so that all have the same bytes."""
    now_ms = round(T0.timestamp() * 1000)
    due = [(b"same", now_ms - 2000 * number) for number in range(1, 6)]
    late = [0, 0, 9000, 0, 0]
    appended = [(value, moment + 100 + delay + ahead * 1000) for (value, moment), delay in zip(due, late, strict=True)]
    found = checkpoint_reading(due, appended, ClockReading("projection", timedelta(0), timedelta(0)), T0)
    assert found is not None
    assert found.differs == (ahead != 0)
    assert abs(found.ahead.total_seconds() - ahead) <= 8


def test_a_wrong_clock_of_the_projection_is_not_taken_for_the_broker_s() -> None:
    now_ms = round(T0.timestamp() * 1000)
    ahead = ClockReading("projection", timedelta(seconds=3600), timedelta(seconds=3601))
    found = checkpoint_reading([(b"one", now_ms + 3_599_000)], [(b"one", now_ms - 900)], ahead, T0)
    assert found is not None
    assert not found.differs


@pytest.mark.parametrize("fault", DeliveryFault)
async def test_a_stopped_inbox_is_named_with_its_fault_and_the_page_of_the_runbook(
    directory: Path, fault: DeliveryFault
) -> None:
    """The reason of readiness reaches the operator, and no restart is advised, because it would not help."""
    intake = build_intake(Source("prizren", 1, "police"), "0" * 64, cast("asyncpg.Pool", None), ())
    intake.stop(BrokenDelivery(fault, "entry 7"))
    readiness = Readiness.of((PartReadiness(name="inbox", ready=False, detail=intake.stopped),))
    settings = next(one for one in InstallationSettings(directory).processes if one.member == "police")
    settings = settings.model_copy(update={"health": HealthSettings(port=free_port())})
    serving = asyncio.create_task(serve_probes(settings.health, "police", lambda: readiness))
    try:
        async with asyncio.timeout(20):
            while "does not respond" in (finding := (await ask_process(settings)).finding).finding:  # noqa: ASYNC110 - it starts
                await asyncio.sleep(0.02)
    finally:
        serving.cancel()
        await asyncio.wait([serving])
    assert (finding.state, finding.finding) == ("bad", f"inbox: stopped ({fault}): entry 7")
    assert "An inbox has stopped" in finding.advice
