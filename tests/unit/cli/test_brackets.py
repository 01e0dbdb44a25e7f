"""A path or an argument with brackets is printed as it is, and never read as markup."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from handoff.cli.app import app
from tests.support.dsl.spec import CASE
from tests.support.parts.proof_record import honest, trust_text

_MARKUP = "issue 10: brackets in a path or an argument are read as markup"
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
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_MARKUP)
def test_a_missing_trust_file_is_bad_input_and_named(name: str, tmp_path: Path) -> None:
    """1 would say that the bundle was tampered with."""
    bundle = tmp_path / "case.bundle"
    bundle.write_bytes(honest().bundle())
    assert unspaced(name) in output("verify", bundle, "--trust", tmp_path / name, code=3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_MARKUP)
def test_a_missing_bundle_is_bad_input_and_named(name: str, tmp_path: Path) -> None:
    trust = tmp_path / "trust.policy"
    trust.write_text(trust_text(), encoding="utf-8")
    assert unspaced(name) in output("verify", tmp_path / name, "--trust", trust, code=3)


@pytest.mark.parametrize("command", [("doctor",), ("timeline", CASE), ("handoffs",)], ids=lambda command: command[0])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_MARKUP)
def test_a_state_directory_without_an_installation_is_named(
    command: tuple[object, ...], name: str, tmp_path: Path
) -> None:
    assert unspaced(name) in output(*command, "--state", tmp_path / name, code=2)


@pytest.mark.parametrize("moment", ["[/bold]", "[red]today"])
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_MARKUP)
def test_an_invalid_moment_is_bad_input_and_printed(moment: str, tmp_path: Path) -> None:
    refused = output("verify", tmp_path / "case.bundle", "--trust", tmp_path / "trust", "--as-of", moment, code=3)
    assert moment in refused
