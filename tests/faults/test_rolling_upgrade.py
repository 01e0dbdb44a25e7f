"""A release with newer event versions is rolled out process by process, while referrals continue."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from handoff.config import CONFIG_VARIABLE
from handoff.record.codes import CommandRefusal
from handoff.record.events import CATALOGUE
from handoff.trial.child_process import ChildProcess
from tests.support.parts.newer_release import SECOND
from tests.support.parts.restartable_trial import RestartableTrial, restartable_trial
from tests.support.probes.eventually import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
PAUSE = {"code": "survivor_request", "review_at": "2150-01-01T00:00:00Z"}


@dataclass
class Upgraded:
    """A trial whose processes are replaced, one by one, by those of the newer release."""

    kept: RestartableTrial
    children: list[ChildProcess] = field(default_factory=list)

    def upgrade(self, name: str) -> None:
        """Ends a process and starts the newer one on the same configuration and database."""
        supervisor = self.kept.running.supervisor
        process = supervisor.processes[name]
        supervisor.kill(name)
        child = ChildProcess(
            name=f"{name}, newer",
            argv=(sys.executable, "-m", "tests.support.parts.newer_release", process.module),
            log=self.kept.directory / "logs" / f"{name}.log",
            env={CONFIG_VARIABLE: str(process.config)},
            cwd=ROOT,
        )
        self.children.append(child)
        child.start()
        child.wait_ready(lambda: self._answers(f"{process.health_url}/health/ready"), PATIENCE_SECONDS)

    def ask(self, member: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """A command, whatever comes of it."""
        process = self.kept.running.supervisor.processes[member]
        headers = {"Authorization": f"Bearer {process.token}", "Prefer": "wait=20"}
        return httpx.post(f"{process.url}{path}", json=body, headers=headers, timeout=40)

    def shown(self, member: str, path: str) -> dict[str, Any]:
        """Return a referral as a member shows it."""
        process = self.kept.running.supervisor.processes[member]
        headers = {"Authorization": f"Bearer {process.token}"}
        found: dict[str, Any] = httpx.get(f"{process.url}{path}", headers=headers, timeout=20).json()
        return found

    def until(self, holds: Callable[[], bool]) -> None:
        async def asked() -> bool:
            return await asyncio.to_thread(holds)

        asyncio.run(eventually(asked, PATIENCE_SECONDS))

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            return httpx.get(url, timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@contextmanager
def upgraded() -> Iterator[Upgraded]:
    with restartable_trial() as kept:
        found = Upgraded(kept)
        try:
            kept.start()
            yield found
        finally:
            for child in found.children:
                child.terminate()


def accepted(kept: RestartableTrial) -> str:
    """The path of a referral that the shelter has accepted."""
    case, referral = kept.ask_shelter()
    path = f"/cases/{case}/referrals/{referral}"
    kept.until_shown("shelter", path, state="requested")
    kept.send("shelter", f"{path}/acceptance")
    kept.until_shown("police", path, state="accepted")
    return path


def test_an_older_node_parks_unreadable_events_continues_and_catches_up_after_its_upgrade() -> None:
    """Members receive only versions that they announced; if one announces too early, one referral waits for it."""
    with upgraded() as town:
        kept = town.kept
        one, other = accepted(kept), accepted(kept)

        for name in ("exchange", "projection", "monitor", "shelter"):
            town.upgrade(name)
        refused = town.ask("shelter", f"{one}/pause", PAUSE)
        assert (refused.status_code, refused.json()["reason"]) == (409, CommandRefusal.RECIPIENT_CANNOT_READ)
        assert town.shown("shelter", one)["expected"] == "accepted"

        kept.send("police", "/capabilities", {"reads": [*CATALOGUE, SECOND]})
        town.until(lambda: town.ask("shelter", f"{one}/pause", PAUSE).status_code == 200)

        town.until(lambda: bool(town.shown("police", one)["parked"]))
        before = town.shown("police", one)
        kept.send("shelter", f"{one}/resumption")
        kept.send("shelter", f"{other}/start", {"kind": "arrival"})
        kept.until_shown("police", other, state="in-progress")
        kept.until_settled()
        assert {**town.shown("police", one), "clock": None} == {**before, "clock": None}
        assert before["state"] == "accepted"
        assert town.shown("shelter", one)["seen"] == before["seen"] + 2

        town.upgrade("police")
        for path in (one, other):
            police, shelter = town.shown("police", path), town.shown("shelter", path)
            # Each side sees its own actions.
            # Each node computes the clock at the time of the read.
            assert {**police, "actions": (), "clock": None} == {**shelter, "actions": (), "clock": None}
        assert not town.shown("police", one)["parked"]
        kept.send("shelter", f"{one}/start", {"kind": "arrival"})
        kept.until_shown("police", one, state="in-progress")
        kept.until_settled()
        judged = kept.query("projection", "timeline_verdicts_of_type", SECOND)
        assert [row["verdict"] for row in judged] == ["effective"]
