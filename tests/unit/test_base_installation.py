"""`handoff verify` runs from the base installation alone: what the project depends on without any extra."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.dsl.builders import CASE
from tests.support.parts.proof_record import honest, trust_text

# In a process whose first finder knows which modules came with which installation.
PROGRAM = """
import json, sys

beyond = frozenset(json.loads(sys.argv.pop(1)))

class BaseAlone:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in beyond:
            raise ModuleNotFoundError(f"{name} is beyond the base installation", name=name)

sys.meta_path.insert(0, BaseAlone)
"""
NO_SOCKET = 'sys.addaudithook(lambda name, _: sys.exit("a socket") if name.startswith("socket.") else None)\n'
RUN = "from handoff.cli import main\nmain()\n"


def base() -> frozenset[str]:
    """The distributions that ``pip install handoff`` brings, by their normal names."""
    wanted, found = ["handoff"], set[str]()
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in found:
            found.add(name)
            requirements = map(Requirement, distribution(name).requires or ())
            wanted += [r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    return frozenset(found)


def beyond_the_base() -> list[str]:
    """The modules of every other distribution that is installed here."""
    known = base()
    owners = packages_distributions().items()
    return sorted(module for module, names in owners if known.isdisjoint(map(canonicalize_name, names)))


def run(
    program: str, *arguments: str | Path, without: Sequence[str] | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The program where the modules ``without``, or else all beyond the base, are not installed."""
    missing = json.dumps(beyond_the_base() if without is None else without)
    command = [sys.executable, "-c", program, missing, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})


def test_the_base_installation_is_small_and_excludes_the_node_libraries() -> None:
    beyond = beyond_the_base()
    assert {"handoff", "pydantic", "pynacl", "rich", "typer"} <= base()
    assert {"aiokafka", "asyncpg", "faust", "fastapi", "httpx", "structlog", "pydantic_settings"} <= set(beyond)
    assert {"handoff", "services", "pydantic", "nacl", "rich", "typer"}.isdisjoint(beyond)


def test_optional_packages_cannot_be_imported_from_the_base() -> None:
    """The control, without which the next test would say nothing."""
    done = run(PROGRAM + "import handoff, pydantic\nimport asyncpg\n")
    assert done.returncode == 1
    assert "asyncpg is beyond the base installation" in done.stderr


def test_a_bundle_is_verified_by_the_base_installation_alone_and_without_a_socket(tmp_path: Path) -> None:
    """The whole command, as it is installed: it reads the bundle and the trust file and ends with 0."""
    bundle, trust = tmp_path / "case.bundle", tmp_path / "trust.policy"
    bundle.write_bytes(honest().bundle())
    trust.write_text(trust_text(), encoding="utf-8")
    done = run(PROGRAM + NO_SOCKET + RUN, "verify", bundle, "--trust", trust)
    assert (done.returncode, done.stdout.splitlines()[-1][:8]) == (0, "complete"), done.stderr


def test_the_times_of_the_jurisdiction_are_known_on_a_machine_without_time_zones(tmp_path: Path) -> None:
    """A minimal image has no zone database, so the base brings one; a command that prints times starts there."""
    missing = [] if "tzdata" in base() else ["tzdata"]
    assert missing == []
    done = run(PROGRAM + RUN, "timeline", str(CASE), "--state", tmp_path, without=missing, PYTHONTZPATH="")
    assert "no installation found" in " ".join(done.stderr.split()), done.stderr
    assert done.returncode == 2
