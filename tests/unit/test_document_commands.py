"""Commands in documents exist, with their options; and the image has every program that the runbook needs."""

import re

import pytest

from tests.support.probes.document_commands import ROOT, commands_of, fault_of

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "docs/adr/*.md", "services/*/README.md", "infra/**/*.md")
    for path in ROOT.glob(pattern)
)
# Package of Debian or PostgreSQL → the programs of it that the runbook names.
PROGRAMS = {"postgresql-client-18": {"pg_dump", "pg_restore", "psql"}}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_in_a_document_exists_with_its_options(document: str) -> None:
    found = {command: fault_of(command) for command in commands_of((ROOT / document).read_text(encoding="utf-8"))}
    assert {command: fault for command, fault in found.items() if fault is not None} == {}


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("handoff repair", "no command repair"),
        ("handoff record mend", "no command mend"),
        ("handoff doctor --deep", "no option --deep"),
        ("handoff node rebuild police shelter", "2 arguments for 1"),
        ("handoff init --wait", "--wait has no value"),
        ("handoff record redact OFFSET… --reason personal_data", None),
    ],
)
def test_a_wrong_command_is_found(command: str, fault: str | None) -> None:
    assert commands_of(f"Say `{command}`.\n\n```sh\n{command}  # now\n```\n") == [command] * 2
    assert fault_of(command) == fault


def test_the_image_has_the_programs_of_the_runbook() -> None:
    """An operator works in the image, which has nothing but what its file installs."""
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    image = (ROOT / "infra" / "kubernetes" / "Dockerfile").read_text(encoding="utf-8").rpartition("FROM ")[2]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", runbook, re.MULTILINE | re.DOTALL)
    needed = {line.split()[0] for block in blocks for line in block.splitlines() if line.strip()}
    installed = {program for package, programs in PROGRAMS.items() if package in image for program in programs}
    assert needed - {"handoff"} <= installed
    assert "curl" not in runbook
