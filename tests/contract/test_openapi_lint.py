"""The linters that integrators use find no error in the published OpenAPI documents. They need Node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DOCUMENTS = sorted(Path("schemas/openapi").glob("*.json"))
LINTERS = Path("tests/support/linters")
COMMANDS = {
    "redocly": ("lint", "--extends", "recommended", "--format", "stylish"),
    "spectral": ("lint", "--fail-severity", "error", "--ruleset", str(LINTERS / "spectral.yaml")),
}
HAS_NODE = shutil.which("node") is not None and shutil.which("npm") is not None


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of the linters' programs."""
    installed = subprocess.run(
        ["infra/environment/node_packages.sh", str(LINTERS)], check=True, capture_output=True, text=True
    )
    return Path(installed.stdout.strip()) / "node_modules" / ".bin"


@pytest.mark.parametrize("linter", COMMANDS if HAS_NODE else [])
def test_a_linter_finds_no_error(programs: Path, linter: str) -> None:
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    found = subprocess.run(
        [programs / linter, *COMMANDS[linter], *DOCUMENTS],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": path, "HOME": str(programs), "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
    )
    assert found.returncode == 0, found.stdout + found.stderr
