"""docs/security.md names tests that exist and pass, and lists each attack that still succeeds."""

import re

import pytest

from tests.support.probes.open_attacks import PAGE, ROOT, current, functions_of, main, open_attacks, reason_of_failure

PREVENTED, _, OPEN = PAGE.read_text(encoding="utf-8").partition("## Open attacks")
ROWS = re.findall(r"^\| (?!attack \|)(?!---)(.*?) \| (.*?) \| (.*?) \|$", PREVENTED, re.MULTILINE)
ATTACKERS = re.findall(r"^## (.*)$", PREVENTED, re.MULTILINE)


def test_each_attacker_has_its_rows_and_what_remains() -> None:
    assert len(ATTACKERS) == 13
    for section in re.split(r"^## ", PREVENTED, flags=re.MULTILINE)[1:]:
        assert "| attack | stopped by | test |" in section
        assert "\n**Remains:** " in section


@pytest.mark.parametrize(("attack", "stopped_by", "test"), ROWS, ids=[row[0] for row in ROWS])
def test_each_attack_is_stopped_by_something_that_a_passing_test_shows(attack: str, stopped_by: str, test: str) -> None:
    assert attack
    assert stopped_by
    path, _, name = test.strip("`").partition("::")
    tests = functions_of(ROOT / path)
    for shown in [name] if name else tests:
        assert reason_of_failure(ROOT / path, tests[shown]) is None


def test_the_list_of_open_attacks_is_that_of_the_tests() -> None:
    assert PAGE.read_text(encoding="utf-8") == current()
    assert main(["--check"]) == 0
    assert all(line in OPEN for line in open_attacks())
