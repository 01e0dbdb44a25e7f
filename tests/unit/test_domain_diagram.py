"""The docs' picture of the lifecycle is the code's own table."""

import re
from pathlib import Path

import pytest

from handoff.domain import diagram
from handoff.domain.lifecycle import TABLE
from handoff.record.codes import State


def test_the_committed_page_is_what_the_table_says() -> None:
    assert diagram.main(["--check"]) == 0, "run python -m handoff.domain.diagram --write"


def test_a_page_that_differs_fails_the_check_and_writing_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagram, "PAGE", tmp_path / "lifecycle.md")
    assert diagram.main(["--check"]) == 1
    assert diagram.main(["--write"]) == 0
    assert diagram.main(["--check"]) == 0
    assert diagram.main([]) == 2


def test_every_row_stands_in_a_table_and_every_state_in_the_diagram() -> None:
    page = diagram.page()
    assert len(re.findall(r"^\| [a-z-]+\.[a-z-]+\.v1 \|", page, re.MULTILINE)) == len(TABLE)
    drawn = set(re.findall(r"^    ([a-z_]+) -->", page, re.MULTILINE))
    assert drawn == {state.value.replace("-", "_") for state in State if state is not State.ABSENT}
