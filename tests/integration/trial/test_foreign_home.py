"""The trial stack in a home directory with letters beyond ASCII, on a machine without its locale."""

from pathlib import Path

import pytest

from handoff.trial.broker_properties import BrokerPorts
from handoff.trial.kafka import KafkaCluster
from handoff.trial.stack import TrialStack
from tests.support.parts.stack import throwaway_stack

LETTERS = "përdorues други"


@pytest.fixture(params=["C", "sq_XK.UTF-8"])
def foreign_locale(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The locale of many scripts, and one that a fresh machine has not generated."""
    monkeypatch.delenv("LANG", raising=False)
    monkeypatch.setenv("LC_ALL", request.param)


@pytest.mark.usefixtures("foreign_locale")
def test_a_broker_is_laid_out_under_a_path_beyond_ascii(tmp_path: Path) -> None:
    home = tmp_path / LETTERS
    KafkaCluster(home, (BrokerPorts(1, 2),), "operator", "cluster").format()
    assert (home / "broker-1" / "data" / "meta.properties").exists()


@pytest.mark.faults
@pytest.mark.usefixtures("foreign_locale")
def test_a_stack_answers_under_a_path_beyond_ascii() -> None:
    """Broker and database, each asked once."""
    with throwaway_stack() as shared:
        home = shared.directory.parent / LETTERS
        home.mkdir()
        stack = TrialStack(home / "stack")
        try:
            stack.start()
        finally:
            stack.discard()
            home.rmdir()
