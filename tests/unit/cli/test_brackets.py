"""A path or an argument with brackets is printed as it is, and never read as markup."""

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from handoff.cli import doctor
from handoff.cli import output as output_console
from handoff.cli.app import app
from handoff.operations.doctor.findings import DoctorFinding
from tests.support.dsl.spec import CASE
from tests.support.parts.proof_record import honest, trust_text

NAMES = ("[bold]case.tar", "x[/dim].tar", "case [/].tar")
"""An opening tag, which disappears; a closing tag that nothing opened; one that closes everything."""


def output(*arguments: object, code: int) -> str:
    """Run `handoff`, check its exit code, and return its output without spaces and line breaks."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.exception
    return unspaced(result.output)


def unspaced(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_trust_file_is_bad_input_and_named(name: str, tmp_path: Path) -> None:
    """1 would say that the bundle was tampered with."""
    bundle = tmp_path / "case.bundle"
    bundle.write_bytes(honest().bundle())
    assert unspaced(name) in output("verify", bundle, "--trust", tmp_path / name, code=3)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_bundle_is_bad_input_and_named(name: str, tmp_path: Path) -> None:
    trust = tmp_path / "trust.policy"
    trust.write_text(trust_text(), encoding="utf-8")
    assert unspaced(name) in output("verify", tmp_path / name, "--trust", trust, code=3)


@pytest.mark.parametrize("command", [("doctor",), ("timeline", CASE), ("handoffs",)], ids=lambda command: command[0])
@pytest.mark.parametrize("name", NAMES)
def test_a_state_directory_without_an_installation_is_named(
    command: tuple[object, ...], name: str, tmp_path: Path
) -> None:
    assert unspaced(name) in output(*command, "--state", tmp_path / name, code=2)


@pytest.mark.parametrize("moment", ["[/bold]", "[red]today"])
def test_an_invalid_moment_is_bad_input_and_printed(moment: str, tmp_path: Path) -> None:
    refused = output("verify", tmp_path / "case.bundle", "--trust", tmp_path / "trust", "--as-of", moment, code=3)
    assert moment in refused


@pytest.mark.parametrize("argument", ["[/bold]", "[red]x", ":warning:"])
@pytest.mark.parametrize("command", [(), ("record",), ("replay", str(CASE), "--as-of")], ids=str)
def test_wrong_usage_names_the_argument(command: tuple[str, ...], argument: str) -> None:
    assert argument in output(*command, argument, code=2)


@pytest.mark.parametrize("name", ["[bold]x", "[/]", ":warning:"])
def test_tables_and_messages_are_printed_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Servers and other members choose parts of what a table shows."""
    printed = Console(markup=output_console.console._markup, emoji=output_console.console._emoji, width=120)
    doctor._draw(printed, [DoctorFinding(name, "bad", f"finding {name}", f"action {name}")])
    output_console.progress(name)
    shown = capsys.readouterr()
    assert shown.out.count(name) == 3
    assert name in shown.err
