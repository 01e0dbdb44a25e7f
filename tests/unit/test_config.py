"""Configuration: what is read, from where, and what a wrong value is answered."""

from pathlib import Path

import pytest

from handoff.config import ConfigurationError, jurisdiction_plan, process_settings
from handoff.record.codes import CaseService, DeadlineStep, DeadlineUnit, MemberKind, Urgency
from tests.support.parts.stack import PRIZREN

_POLICE = f"""
jurisdiction = "prizren"
generation = 1
genesis_sha256 = "{"ab" * 32}"
member = "police"
token = "secret-token"

[kafka]
bootstrap_servers = "127.0.0.1:9092"
username = "prizren-police"
password = "secret-word"
security_protocol = "SASL_PLAINTEXT"

[postgres]
host = "127.0.0.1"
database = "prizren_police"
user = "prizren_police"
password = "pass/word"

[http]
port = 8080
"""


@pytest.fixture
def police(tmp_path: Path) -> Path:
    path = tmp_path / "police.toml"
    path.write_text(_POLICE)
    return path


def test_a_file_gives_the_settings_of_one_process(police: Path) -> None:
    settings = process_settings(police)
    assert settings.member == "police"
    assert settings.http is not None
    assert settings.http.port == 8080
    assert settings.log.format == "json"
    assert settings.postgres.dsn == "postgres://prizren_police:pass%2Fword@127.0.0.1:5432/prizren_police?sslmode=prefer"


def test_periods_of_retention_are_those_of_a_node(police: Path) -> None:
    assert process_settings(police).retention.idempotency_key_days == 30
    police.write_text(_POLICE + "\n[retention]\nsession_days = 14\n")
    assert process_settings(police).retention.session_days == 14
    police.write_text(_POLICE.replace('"police"', '"exchange"', 1) + "\n[retention]\nsession_days = 14\n")
    with pytest.raises(ConfigurationError, match="retention: only a member's node has these settings"):
        process_settings(police)
    police.write_text(_POLICE + "\n[retention]\nopening_days = 0\n")
    with pytest.raises(ConfigurationError, match=r"retention\.opening_days"):
        process_settings(police)


def test_the_file_is_found_by_the_environment(police: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOFF_CONFIG", str(police))
    assert process_settings().member == "police"


def test_the_environment_overrides_one_key_and_leaves_its_neighbours(
    police: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDOFF_KAFKA__PASSWORD", "other")
    monkeypatch.setenv("HANDOFF_LOG__LEVEL", "debug")
    settings = process_settings(police)
    assert settings.kafka.password.get_secret_value() == "other"
    assert settings.kafka.username == "prizren-police"
    assert settings.log.level == "debug"


def test_no_secret_shows_when_settings_are_printed(police: Path) -> None:
    shown = repr(process_settings(police))
    assert not any(secret in shown for secret in ("secret-word", "secret-token", "pass/word"))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"SASL_PLAINTEXT"', '"PLAIN"', r"kafka\.security_protocol: .*'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("port = 8080", "port = 99999", r"http\.port: .*less than or equal to 65535"),
        ("generation = 1", "", r"generation: Field required"),
        ('member = "police"', 'member = "Police"', r"member: .*should match pattern"),
        ("username =", "user_name =", r"kafka\.user_name: there is no such key; allowed are .*username"),
        ("[http]", "[htp]", r"htp: there is no such key; allowed are .*http"),
        ("[http]", "[log]\nlevel = 'loud'\n[http]", r"log\.level: .*'debug', 'info', 'warning' or 'error'"),
        ('token = "', "token = [", r"is not TOML"),
        ("[http]", "[policies]\n[http]", r"policies: there is no such key; allowed are .*instance, exchange"),
        ("[http]", "[exchange]\n[http]", r"exchange: only the process of the member 'exchange' has these settings"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_is_allowed(police: Path, old: str, new: str, sentence: str) -> None:
    police.write_text(_POLICE.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=sentence):
        process_settings(police)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("[exchange]\ngrace_seconds = 'soon'", r"exchange\.grace_seconds: .*valid number"),
        ("[exchange]\ngrace_seconds = 4000", r"exchange\.grace_seconds: .*less than or equal to 3600"),
        ("[exchange]\ngrace = 1", r"exchange\.grace: there is no such key; allowed are grace_seconds"),
    ],
)
def test_a_wrong_option_of_the_exchange_names_its_key_and_what_is_allowed(
    police: Path, section: str, sentence: str
) -> None:
    police.write_text(
        _POLICE.replace('member = "police"', 'member = "exchange"').replace("[http]", f"{section}\n[http]")
    )
    with pytest.raises(ConfigurationError, match=sentence):
        process_settings(police)


def test_a_wrong_value_is_never_shown(police: Path) -> None:
    police.write_text(_POLICE.replace('"secret-word"', '["secret-word"]'))
    with pytest.raises(ConfigurationError) as refused:
        process_settings(police)
    assert "kafka.password" in str(refused.value)
    assert "secret-word" not in str(refused.value)


def test_a_missing_or_unnamed_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDOFF_CONFIG", raising=False)
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read: No such file"):
        process_settings(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="HANDOFF_CONFIG is not set"):
        process_settings()


def test_prizrens_plan_keeps_the_order_in_which_members_are_asked() -> None:
    plan = jurisdiction_plan(PRIZREN)
    shelters = [member.id for member in plan.members if CaseService.SHELTER in member.offers]
    assert shelters == ["shelter", "shelter_gjakova"]
    assert plan.members[-1].kind is MemberKind.AUDIT


def test_prizrens_deadlines_cover_every_step_and_every_urgency_of_an_answer() -> None:
    deadlines = jurisdiction_plan(PRIZREN).deadlines
    assert {deadline.step for deadline in deadlines} == set(DeadlineStep)
    answered = [d for d in deadlines if d.step is DeadlineStep.ANSWERED]
    assert {d.urgencies: (d.amount, d.unit) for d in answered} == {
        (Urgency.EMERGENCY,): (3_600, DeadlineUnit.SECONDS),
        (Urgency.HIGH,): (3 * 3_600, DeadlineUnit.SECONDS),
        (Urgency.NORMAL,): (1, DeadlineUnit.WORKING_DAYS),
        (Urgency.LOW,): (3, DeadlineUnit.WORKING_DAYS),
    }


def test_a_deadline_is_published_without_its_name() -> None:
    deadline = jurisdiction_plan(PRIZREN).deadlines[0]
    assert "id" not in deadline.terms().model_dump()
    assert deadline.terms().amount == deadline.amount


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('id = "shelter_gjakova"', 'id = "shelter"', "'shelter' is used twice"),
        ('offers = ["employment"]', 'offers = ["mediation"]', r"members\.6\.offers\.0: .*'vocational_training'"),
        ('step = "review"', 'step = "nap"', r"deadlines\.\d+\.step: .*'review'"),
        ('name = "prizren"', 'nam = "prizren"', "nam: there is no such key; allowed are name, generation"),
        ('name = "prizren"', 'name = "Prizren"', r"jurisdiction\.name: .*match pattern"),
    ],
)
def test_a_plan_that_is_wrong_names_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PRIZREN.read_text().replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=sentence):
        jurisdiction_plan(path)
