"""The keys of the log, of a witness and of the monitor are replaced by the steps of docs/runbook.md, on real parts."""

import asyncio
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import tomli_w

from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.verifiers import ANY_SIZE
from handoff.proof.verify.trust import TrustPolicy
from tests.support.parts.api import OPENING
from tests.support.parts.site import READY_SECONDS, Site
from tests.support.probes.document_commands import ROOT, commands_of
from tests.support.probes.eventually import eventually
from tests.support.probes.queries import QUERIES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# Name of the key file → its process, and the settings of the current and of the next key.
_REPLACED = {
    "projection": ("projection", "signing_key_file", "next_signing_key_file"),
    "police.witness": ("police", "checkpoints.witness_key_file", "checkpoints.next_witness_key_file"),
    "monitor": ("monitor", "checkpoints.witness_key_file", "checkpoints.next_witness_key_file"),
}
_KEY_NAMES = {"projection": "record/1", "police.witness": "police", "monitor": "monitor"}


async def test_keys_are_replaced_without_a_restart_of_those_that_read_them(site: Site, tmp_path: Path) -> None:
    """A bundle of before still verifies, and what is new is proven under the next keys alone."""
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    commands = commands_of(runbook.split("## Keys of the log and the cosigners")[1].split("\n## ")[0])
    creations = [command for command in commands if command.startswith("handoff key create")]
    (adding,) = {command for command in commands if command.startswith("handoff trust add-key")}
    (ending,) = {command for command in commands if command.startswith("handoff trust end-key")}
    assert len(creations) == len(_REPLACED)
    before = await _proven(site, site.case, tmp_path, 0)
    unchanged = [await _started(site, member) for member in ("shelter", "audit")]
    old = {name: _key_in_force(site, name) for name in _REPLACED}
    # Steps 1 and 2.
    for command in creations:
        verifier_key = await _created(site, command.replace("MEMBER", "police"))
        await _done(site, adding.replace("…", f"'{verifier_key}'"))
    # Step 3.
    for name, (process, _, following) in _REPLACED.items():
        await _restarted_with(site, process, following, str(site.state / "keys" / f"{name}.next.key"))
    during = await _proven(site, site.case, tmp_path, before["size"])
    # Step 4.
    for key in old.values():
        await _done(site, ending.replace("…", key, 1).replace("…", str(during["size"])))
    # Step 5.
    for name, (process, _, following) in _REPLACED.items():
        (site.state / "keys" / f"{name}.next.key").rename(site.state / "keys" / f"{name}.key")
        await _restarted_with(site, process, following, None)
    assert not {*old.values()} & {_key_in_force(site, name) for name in _REPLACED}
    # Under the next keys alone.
    opened = (await site.say("shelter", "/cases", OPENING))["case"]
    after = await _proven(site, opened, tmp_path, during["size"])
    assert sorted(after["cosigners"]) == ["monitor", "police", "shelter"]
    for size in (before["size"], during["size"]):
        earlier = tmp_path / f"{site.case}.{size}.bundle"
        assert (await _verified(site, earlier))["verdict"] == "proven"
    assert [await _started(site, member) for member in ("shelter", "audit")] == unchanged
    await eventually(lambda: _has_all_receipts(site, "shelter"), READY_SECONDS)
    await eventually(site.is_healthy, READY_SECONDS)


def _key_in_force(site: Site, name: str) -> str:
    """Short form of the one key without an end that the trust file has under a name."""
    trust = TrustPolicy.parse((site.state / "trust.policy").read_bytes())
    log = trust.logs[str(Origin(site.plan.name, site.plan.generation))].key
    verifier = log if name == "projection" else trust.cosigner(f"handoff/{site.plan.name}/{_KEY_NAMES[name]}")
    assert verifier is not None
    (key,) = verifier.keys_at(ANY_SIZE)
    return key.short


async def _created(site: Site, command: str) -> str:
    words = command.split()[1:]
    file = site.state.parent / words[2]
    assert file.parent == site.state / "keys"
    file.unlink(missing_ok=True)
    return str((await site.document(*words[:2], file, *words[3:]))["verifier_key"])


async def _done(site: Site, command: str) -> None:
    code, text = await site.production.shell(command, site.state.parent)
    assert code == 0, f"{command}: {text}"


async def _restarted_with(site: Site, process: str, setting: str, value: str | None) -> None:
    """Change one setting of a process, or remove it, and restart the process."""
    path = site.state / "config" / f"{process}.toml"
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    *section, name = setting.split(".")
    place: dict[str, Any] = settings[section[0]] if section else settings
    place.pop(name, None)
    if value is not None:
        place[name] = value
    path.write_text(tomli_w.dumps(settings), encoding="utf-8")
    site.trial.supervisor.kill(process)
    await asyncio.to_thread(site.trial.supervisor.restart, process)


async def _proven(site: Site, case: str, directory: Path, beyond: int) -> dict[str, Any]:
    """Return the report on a bundle of ``case`` whose checkpoint is larger than ``beyond``, and keep the bundle."""
    bundle, report = directory / f"{case}.bundle", dict[str, Any]()

    async def is_proven() -> bool:
        code, _ = await site.production.run("bundle", case, "--output", bundle, "--state", site.state)
        if code == 0:
            report.update(await _verified(site, bundle))
        return report.get("verdict") == "proven" and report["size"] > beyond

    if beyond:
        # The record grows, so that its checkpoint does.
        await site.say("police", "/cases", OPENING)
    await eventually(is_proven, READY_SECONDS)
    bundle.rename(directory / f"{case}.{report['size']}.bundle")
    return report


async def _verified(site: Site, bundle: Path) -> dict[str, Any]:
    _, text = await site.production.run("verify", bundle, "--trust", site.state / "trust.policy", "--json")
    report: dict[str, Any] = json.loads(text[text.index("{") :])
    return report


async def _metric(site: Site, member: str, name: str) -> float:
    async with httpx.AsyncClient(timeout=20) as http:
        text = (await http.get(f"http://127.0.0.1:{site.trial.supervisor.processes[member].health_port}/metrics")).text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1])


async def _started(site: Site, member: str) -> float:
    return await _metric(site, member, "process_start_time_seconds")


async def _has_all_receipts(site: Site, member: str) -> bool:
    """The last own event has its receipt, which the node has checked with the keys of its trust file."""
    connection = await asyncpg.connect(site.postgres.dsn(f"{site.plan.name}_{member}"))
    try:
        rows = await connection.fetch(QUERIES["outbox"])
    finally:
        await connection.close()
    return all(row["receipt"] is not None for row in rows if row["outcome"] in ("effective", "ineffective"))
