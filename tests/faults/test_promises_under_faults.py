"""Under faults nothing is lost, nothing counts twice, both sides are equal, and the timeline is the record."""

import os
import sys

import pytest

from tests.faults.injections import FAULTS
from tests.faults.ordeal import run
from tests.faults.sabotage import SABOTAGED

_FAULTS = int(os.environ.get("FAULTS", "20"))


@pytest.mark.faults
@pytest.mark.timeout(180 + 30 * _FAULTS)
def test_every_answered_command_survives_faults_of_every_kind() -> None:
    """While processes, broker and database are killed, frozen and refused in turn, and referrals race meanwhile."""
    ordeal = run(_FAULTS, lambda line: print(line, file=sys.stderr))  # noqa: T201 - pytest shows it where it failed
    assert ordeal.history.findings == ()
    assert ordeal.came_to_rest
    assert {suffered.fault for suffered in ordeal.suffered} == set(list(FAULTS)[:_FAULTS])
    assert {finding.where for finding in ordeal.sabotage} == SABOTAGED, "the checker sees what is planted in real parts"
    assert {"effective", "ineffective"} <= ordeal.history.outcomes.keys(), "the races had losers"
