"""A letter that the terminal or the locale lacks, and bytes that are no letters, never change an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.parts.proof_record import honest, trust_text

_HANDOFF = Path(sys.executable).with_name("handoff")
_TERMINALS = {
    "C": {"LC_ALL": "C"},
    "not generated": {"LC_ALL": "sq_XK.UTF-8"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1:strict"},
    "strict UTF-8": {"PYTHONIOENCODING": "utf-8:strict"},
}


def _verify(directory: Path, name: str, variables: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
    argv = (_HANDOFF, "verify", directory / name, "--trust", "trust.policy")
    return subprocess.run(argv, cwd=directory, env={**os.environ, **variables}, capture_output=True, check=False)


@pytest.fixture(params=["përdorues други", os.fsdecode(b"\xff\xfe")], ids=["letters", "bytes"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Directory with a name beyond ASCII, in which there are a bundle and a trust file."""
    path: Path = tmp_path / request.param
    path.mkdir()
    (path / "case.bundle").write_bytes(honest().bundle())
    (path / "trust.policy").write_bytes(trust_text().encode())
    return path


@pytest.mark.parametrize("variables", _TERMINALS.values(), ids=_TERMINALS.keys())
def test_a_bundle_is_verified_and_a_missing_one_is_bad_input(directory: Path, variables: dict[str, str]) -> None:
    good = _verify(directory, "case.bundle", variables)
    assert (good.returncode, good.stderr) == (0, b"")
    missing = _verify(directory, "missing.bundle", variables)
    assert missing.returncode == 3, missing.stderr
    assert b"bad input" in missing.stdout
