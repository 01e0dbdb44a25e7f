"""Readiness rests on answers that are recent, part by part."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest

from handoff import telemetry
from handoff.adapters.http.probes import probes
from handoff.readiness import DependencyCheck, PartReadiness, Readiness

PATIENCE = 10.0


@dataclass
class Server:
    """A dependency, and the time of a check that asks it; each question happens at the next time of ``plan``."""

    plan: list[tuple[float, bool]]
    """Time of each question, and whether it is answered."""
    seen: list[tuple[float, bool]] = field(default_factory=list)
    """Time after each question, and whether the check called the server available."""
    now: float = 0.0
    closed: int = 0

    async def ask(self) -> None:
        self.now, answers = self.plan.pop(0)
        if not answers:
            raise ConnectionResetError

    async def close(self) -> None:
        self.closed += 1

    def check(self) -> DependencyCheck:
        async def sleep(_seconds: float) -> None:
            self.seen.append((self.now, check.available))
            if not self.plan:
                raise asyncio.CancelledError

        check = DependencyCheck("broker", self, PATIENCE, monotonic=lambda: self.now, sleep=sleep)
        return check


async def _run(*plan: tuple[float, bool]) -> tuple[Server, DependencyCheck]:
    server = Server(list(plan))
    check = server.check()
    with pytest.raises(asyncio.CancelledError):
        await check.run()
    return server, check


async def test_a_dependency_that_never_answered_is_not_available() -> None:
    server, check = await _run((0.0, False))
    assert server.seen == [(0.0, False)]
    assert (check.part().ready, check.part().detail) == (False, "has not answered yet")


async def test_an_answer_counts_for_the_patience_and_no_longer() -> None:
    """A question without an answer changes nothing within the patience; after it the part is not ready."""
    server, check = await _run((0.0, True), (PATIENCE, False), (PATIENCE + 0.1, False), (20.0, True))
    assert [available for _, available in server.seen] == [True, True, False, True]
    server.now = 20.0 + PATIENCE + 0.1
    assert not check.available
    assert check.part().detail == "answered 10 s ago"


async def test_an_answer_that_is_missing_leads_to_a_new_connection() -> None:
    """A broken connection would never answer again. It is also closed at the end."""
    server, _ = await _run((0.0, True), (1.0, False), (2.0, True))
    assert server.closed == 2


async def test_a_question_without_an_answer_ends() -> None:
    """A frozen server neither answers nor closes the connection."""

    class Frozen(Server):
        async def ask(self) -> None:
            self.plan.clear()
            await asyncio.get_running_loop().create_future()

    server = Frozen([])
    check = server.check()
    check.patience_seconds = 0.01
    with pytest.raises(asyncio.CancelledError):
        await check.run()
    assert server.seen == [(0.0, False)]


async def test_the_gauge_follows_the_age_of_the_answer() -> None:
    """Also between two questions: a scrape after the patience shows 0."""
    server, _ = await _run((0.0, True))
    assert _gauge() == 1.0
    server.now = PATIENCE + 0.1
    assert _gauge() == 0.0


def _gauge() -> float:
    (metric,) = telemetry.DEPENDENCY_AVAILABLE.collect()
    return next(sample.value for sample in metric.samples if sample.labels == {"dependency": "broker"})


@pytest.mark.parametrize("status", [503, 200])
async def test_a_part_that_fails_is_named(status: int) -> None:
    """A load balancer stops using the process only if the part is needed."""
    failed = PartReadiness(name="witness", ready=False, detail="forked", needed=status == 503)
    readiness = Readiness.of((PartReadiness(name="database", ready=True), failed))
    transport = httpx.ASGITransport(probes("exchange", lambda: readiness))
    async with httpx.AsyncClient(transport=transport, base_url="http://process") as http:
        answer = await http.get("/health/ready")
    assert answer.status_code == status
    assert answer.json()["ready"] is (status == 200)
    assert [part["detail"] for part in answer.json()["parts"] if not part["ready"]] == ["forked"]
