"""Readiness and metrics of every process while the broker or the database is really gone."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from handoff.operations.setup.installation import Process
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION
from handoff.trial.child_process import ChildProcess
from tests.support.parts.api import OPENING
from tests.support.parts.restartable_trial import RestartableTrial, restartable_trial
from tests.support.probes.eventually import eventually

pytestmark = pytest.mark.slow

NEEDING = (EXCHANGE, PROJECTION, MONITOR)
"""The processes that do nothing without the broker."""
_PATIENCE_SECONDS = 90


@pytest.fixture(scope="module")
def trial() -> Iterator[RestartableTrial]:
    with restartable_trial() as kept:
        kept.start()
        yield kept


def test_a_frozen_broker_is_named_and_the_nodes_still_take_commands(trial: RestartableTrial) -> None:
    """A frozen broker keeps its connections open, and its clients wait for it without an error."""
    (broker,) = trial.running.stack.kafka.brokers
    # The node's producer is connected: a connected one repeats requests without an error of its own.
    assert "case" in trial.send("police", "/cases", OPENING)
    _until(trial, lambda _: _figure(trial, "police", "handoff_outbox_unechoed") == 0)
    failures = _figure(trial, "police", "handoff_send_failures_total")
    with _frozen(broker):
        assert "case" in trial.send("police", "/cases", OPENING)
        _until(trial, lambda name: _lacks(trial, name, "broker"))
        for name in trial.running.supervisor.processes:
            assert _status(trial, name) == (503 if name in NEEDING else 200), name
            assert _figure(trial, name, 'handoff_dependency_available{dependency="broker"}') == 0
            assert _figure(trial, name, 'handoff_dependency_available{dependency="database"}') == 1
        assert "case" in trial.send("police", "/cases", OPENING)
        _until(trial, lambda _: _figure(trial, "police", "handoff_send_failures_total") > failures)
    _until(trial, lambda name: _status(trial, name) == 200)


def test_a_killed_broker_is_named_until_it_answers_again(trial: RestartableTrial) -> None:
    stack = trial.running.stack
    stack.kafka.kill()
    try:
        assert "case" in trial.send("police", "/cases", OPENING)
        _until(trial, lambda name: _lacks(trial, name, "broker"))
        for name in trial.running.supervisor.processes:
            assert _status(trial, name) == (503 if name in NEEDING else 200), name
    finally:
        stack.start_kafka()
    _until(trial, lambda name: _status(trial, name) == 200)
    assert all(_figure(trial, name, 'handoff_dependency_available{dependency="broker"}') == 1 for name in NEEDING)


def test_a_killed_database_is_named_until_it_answers_again(trial: RestartableTrial) -> None:
    """No process does anything without its database, so none is ready; each reports so without waiting for it."""
    stack = trial.running.stack
    stack.postgres.kill()
    try:
        _until(trial, lambda name: _lacks(trial, name, "database") and _status(trial, name) == 503)
    finally:
        stack.start_postgres()
    _until(trial, lambda name: _status(trial, name) == 200)


def _until(trial: RestartableTrial, holds: Callable[[str], bool]) -> None:
    """Wait until ``holds`` for each process."""

    async def all_hold() -> bool:
        return all(holds(name) for name in trial.running.supervisor.processes)

    asyncio.run(eventually(all_hold, _PATIENCE_SECONDS))


def _lacks(trial: RestartableTrial, name: str, part: str) -> bool:
    found = _get(trial, name, "/health/ready").json()["parts"]
    return next(not row["ready"] for row in found if row["name"] == part)


def _status(trial: RestartableTrial, name: str) -> int:
    return _get(trial, name, "/health/ready").status_code


def _figure(trial: RestartableTrial, name: str, figure: str) -> float:
    lines = _get(trial, name, "/metrics").text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{figure} "))


def _get(trial: RestartableTrial, name: str, path: str) -> httpx.Response:
    process: Process = trial.running.supervisor.processes[name]
    return httpx.get(f"{process.health_url}{path}", timeout=5)


@contextmanager
def _frozen(child: ChildProcess) -> Iterator[None]:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)
