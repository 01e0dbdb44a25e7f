"""The long gate runs every step in order and does not end with 0 if one failed."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = ["faults N=200", "bench ARGS=--only growth", "test ARGS=tests/contract"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose `make` writes its arguments to a file, and fails for the target in $FAILING."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / ".ci" / "nightly", tmp_path / ".ci" / "nightly")
    make = tmp_path / "bin" / "make"
    make.write_text(
        '#!/bin/sh\necho "$*" >> called\n[ "$1" != "$STUCK" ] || exec sleep 600\n[ "$1" != "$FAILING" ] || exit 2\n'
    )
    make.chmod(0o755)
    return tmp_path


def environment(project: Path, **variables: str) -> dict[str, str]:
    return {"PATH": f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}", "FAILING": "", "STUCK": "", **variables}


def nightly(project: Path, **variables: str) -> tuple[int, str]:
    command, variables_of = [project / ".ci" / "nightly"], environment(project, **variables)
    done = subprocess.run(command, env=variables_of, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_every_step_runs_in_order_with_its_progress(project: Path) -> None:
    code, printed = nightly(project)
    assert code == 0
    assert (project / "called").read_text().splitlines() == STEPS
    assert [f"== {number} of 3: " in printed for number in (1, 2, 3)] == [True] * 3
    assert printed.count("passed after") == 6


@pytest.mark.parametrize("failing", ["faults", "bench", "test"])
def test_a_failed_step_does_not_end_the_others_and_fails_the_whole(project: Path, failing: str) -> None:
    code, printed = nightly(project, FAILING=failing)
    assert code == 1
    assert (project / "called").read_text().splitlines() == STEPS
    *_, first, second, third = printed.splitlines()
    assert [line for line in (first, second, third) if "failed (2)" in line] == [
        line for line in (first, second, third) if line.startswith(f"make {failing}")
    ]


def test_an_interrupted_run_ends_its_step_and_is_no_success(project: Path) -> None:
    running = subprocess.Popen(
        [project / ".ci" / "nightly"],
        env=environment(project, STUCK="bench"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("== 2 of 3"):
            break
    running.send_signal(signal.SIGTERM)
    rest, _ = running.communicate(timeout=60)
    assert running.returncode == 143
    assert "interrupted" in rest
    assert "test ARGS" not in (project / "called").read_text()


def test_the_makefile_names_it() -> None:
    planned = subprocess.run(["make", "-n", "nightly"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert ".ci/nightly" in planned
