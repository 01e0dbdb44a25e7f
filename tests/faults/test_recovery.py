"""A node's database is gone, or yesterday's: the runbook is followed, as it is written, and the history holds."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest

from history_checker.collector import collect_snapshot
from history_checker.report import build_report
from history_checker.snapshot import ObservedCommand
from tests.support.parts.api import OPENING, RELEASE
from tests.support.parts.restartable_trial import RestartableTrial, restartable_trial
from tests.support.probes.eventually import eventually
from tests.support.probes.runbook import Operator

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

BACKING_UP = "The state directory"
RECOVERING = "A node's database is lost, or only a backup is left"
WITH_A_BACKUP, AN_AGENCY = "with a backup", "for an agency"
PATIENCE_SECONDS = 60


@dataclass
class Place:
    """A small jurisdiction, and every command that was answered and must be on the record in the end."""

    kept: RestartableTrial
    answered: list[ObservedCommand] = field(default_factory=list)

    def send(self, member: str, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> dict[str, Any]:
        """A command that must be stored and is to be kept; gives what was answered."""
        answer = self.ask(member, path, body, key=key)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        self.answered += [ObservedCommand(member, event, found["case"]) for event in found["events"]]
        return found

    def ask(self, member: str, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> httpx.Response:
        """A command, whatever comes of it and of its answer."""
        process = self.kept.running.supervisor.processes[member]
        headers = {"Authorization": f"Bearer {process.token}"} | ({"Idempotency-Key": key} if key else {})
        return httpx.post(f"{process.url}{path}", json=body or {}, headers=headers, timeout=20)

    def request(self) -> str:
        """Police ask the shelter; the referral's path."""
        case = self.send("police", "/cases", OPENING)["case"]
        basis = self.send("police", f"/cases/{case}/bases", RELEASE)["basis"]
        asked = {"target": "shelter", "service": "shelter", "urgency": "normal", "basis": basis}
        return f"/cases/{case}/referrals/{self.send('police', f'/cases/{case}/referrals', asked)['referral']}"

    def accepted(self) -> str:
        """The path of a referral that is accepted, as both sides see."""
        path = self.request()
        self.kept.until_shown("shelter", path, state="requested")
        self.send("shelter", f"{path}/acceptance", key=f"acceptance-{path}"[:128])
        self.kept.until_shown("police", path, state="accepted")
        return path

    def unsent(self, member: str) -> None:
        """From here on the member's commands are stored and not sent."""
        assert self.kept.run("node", "relay", "pause", member)[0] == 0

    def crash(self, *members: str) -> None:
        for member in members:
            self.kept.running.supervisor.kill(member)

    def start(self, *members: str) -> None:
        for member in members:
            self.kept.running.supervisor.restart(member)

    def drop(self, *members: str) -> None:
        """The members' databases, and everything in them."""

        async def gone() -> None:
            connection = await asyncpg.connect(self.kept.running.jurisdiction.postgres.dsn())
            try:
                for member in members:
                    await connection.execute(f'DROP DATABASE "{self.kept.name}_{member}" WITH (FORCE)')
            finally:
                await connection.close()

        asyncio.run(gone())

    def follow(self, heading: str, member: str, *circumstances: str, without: str = "") -> str:
        """Follow the runbook except for one command. Return the output."""
        return Operator(self.kept, member).follow(heading, *circumstances, without=without)

    def holds(self) -> None:
        """Nothing is lost of what was answered, nothing counts twice, both sides are equal, the doctor is content."""
        self.kept.until_settled()
        report = build_report(asyncio.run(collect_snapshot(self.kept.directory, self.answered)))
        assert report.findings == ()
        assert "invalid" not in report.outcomes

        async def is_well() -> bool:
            return (await asyncio.to_thread(self.kept.run, "doctor"))[0] == 0

        asyncio.run(eventually(is_well, PATIENCE_SECONDS))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with restartable_trial() as kept:
        kept.start()
        yield Place(kept)


def test_a_node_is_recovered_from_a_backup_and_names_the_command_that_is_lost(place: Place) -> None:
    """Events on the record are restored by their echo; a lost command is named from the node's log."""
    kept = place.kept
    early = place.accepted()
    place.crash("exchange")
    place.send("police", "/cases", OPENING)
    place.follow(BACKING_UP, "police")
    place.start("exchange")
    late = place.accepted()
    place.send("police", "/cases", OPENING, key="opened-since-the-backup")
    kept.until_settled()
    place.unsent("police")
    lost = place.ask("police", "/cases", OPENING).json()
    place.crash("police")
    place.send("shelter", f"{early}/start", {"kind": "arrival"})

    guidance = place.follow(RECOVERING, "police", WITH_A_BACKUP, AN_AGENCY)

    (named,) = [line for line in guidance.splitlines() if "lost:" in line]
    assert lost["events"][0] in named
    assert "not on the record yet" not in guidance
    place.start("police")
    kept.until_shown("police", early, state="in-progress")
    kept.until_shown("police", late, state="accepted")
    assert place.ask("police", "/cases", OPENING, key="opened-since-the-backup").status_code == 409
    place.send("shelter", f"{late}/start", {"kind": "arrival"})
    kept.until_shown("police", late, state="in-progress")
    place.accepted()
    place.holds()


def test_nodes_are_recovered_from_nothing_the_coordinator_among_them(place: Place) -> None:
    """A lost command can be repeated once; a command on the record is refused; policies emit nothing again."""
    kept = place.kept
    known, waiting = place.accepted(), place.request()
    kept.until_shown("shelter", waiting, state="requested")
    kept.until_settled()
    place.unsent("shelter")
    (lost,) = place.ask("shelter", f"{waiting}/acceptance").json()["events"]
    place.crash("shelter", "coordination")
    place.drop("shelter", "coordination")
    background = place.request()

    assert lost in place.follow(RECOVERING, "shelter", AN_AGENCY)
    assert "lost:" not in place.follow(RECOVERING, "coordination")

    place.start("shelter", "coordination")
    kept.until_shown("shelter", background, state="requested")
    kept.until_shown("shelter", known, state="accepted")
    place.send("shelter", f"{waiting}/acceptance")
    repeated = place.ask("shelter", f"{known}/acceptance", key=f"acceptance-{known}"[:128])
    assert (repeated.status_code, repeated.json()["state"]) == (409, "accepted")
    kept.until_shown("police", waiting, state="accepted")
    place.holds()


def test_a_node_that_is_only_started_on_an_older_database_finds_its_way(place: Place) -> None:
    """Its consumer group is far ahead of its database: the database's position counts."""
    kept = place.kept
    place.follow(BACKING_UP, "shelter")
    path = place.accepted()
    kept.until_settled()
    place.crash("shelter")
    place.follow(RECOVERING, "shelter", WITH_A_BACKUP, AN_AGENCY, without="rebuild")
    place.start("shelter")
    kept.until_shown("shelter", path, state="accepted")
    place.holds()
