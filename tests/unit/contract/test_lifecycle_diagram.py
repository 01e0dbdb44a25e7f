"""The docs' picture of the lifecycle is the code's own table."""

import re
from pathlib import Path

import pytest

from handoff.contract import lifecycle_diagram
from handoff.domain.lifecycle import TABLE
from handoff.record.codes import State


def test_the_committed_page_equals_the_generated_one() -> None:
    assert lifecycle_diagram.main(["--check"]) == 0, "run python -m handoff.contract.lifecycle_diagram --write"


def test_a_page_that_differs_fails_the_check_and_writing_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle_diagram, "PAGE", tmp_path / "lifecycle.md")
    assert lifecycle_diagram.main(["--check"]) == 1
    assert lifecycle_diagram.main(["--write"]) == 0
    assert lifecycle_diagram.main(["--check"]) == 0
    assert lifecycle_diagram.main([]) == 2


def test_every_row_is_in_a_table_and_every_state_in_the_diagram() -> None:
    page = lifecycle_diagram.page()
    assert len(re.findall(r"^\| [a-z-]+\.[a-z-]+\.v1 \|", page, re.MULTILINE)) == len(TABLE)
    drawn = set(re.findall(r"^    ([a-z_]+) -->", page, re.MULTILINE))
    assert drawn == {state.value.replace("-", "_") for state in State if state is not State.ABSENT}
