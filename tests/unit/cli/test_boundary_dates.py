"""Dates at the end of what a calendar has are wrong usage or bad input, never an internal error."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from handoff.cli.app import app
from tests.support.dsl.spec import CASE

BEFORE_UTC = "0001-01-01T00:00:00+02:00"


@pytest.mark.parametrize("question", [("--as-of", BEFORE_UTC), ("--diff", BEFORE_UTC)], ids=["as of", "diff"])
def test_a_replay_of_a_date_before_year_1_is_wrong_usage(question: tuple[str, str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(CASE), "--state", str(tmp_path), *question])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 2
    assert BEFORE_UTC in result.output
