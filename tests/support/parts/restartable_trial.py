"""Small jurisdiction whose trial is stopped and restarted, with commands and queries for tests."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import tomli_w

from handoff.operations.topic_copy import read_topic
from handoff.record.kafka_record import KafkaRecord
from handoff.trial.trial import Trial, running, temporary_directory
from tests.support.parts.api import OPENING, PLAN, RELEASE
from tests.support.probes.eventually import eventually
from tests.support.probes.queries import QUERIES

_HANDOFF = Path(sys.executable).with_name("handoff")
_PATIENCE_SECONDS = 60


def _quiet(_stage: str) -> None:
    """Ignore progress."""


@dataclass
class RestartableTrial:
    """Police and shelter on a state directory that outlives the trial."""

    directory: Path
    trial: Trial | None = None

    @property
    def running(self) -> Trial:
        assert self.trial is not None, "the trial does not run"
        return self.trial

    @property
    def name(self) -> str:
        return PLAN.name

    def start(self) -> None:
        """Everything, or the services alone where the parts run."""
        self.trial = Trial(self.directory, PLAN, _quiet)
        # As the commands of `handoff` leave it, for those that come after.
        plan = PLAN.model_dump(mode="json", exclude_none=True)
        (self.directory / "plan.toml").write_text(tomli_w.dumps(plan))
        self.trial.start()

    def stop(self) -> None:
        if self.trial is not None:
            self.trial.stop()
            self.trial = None

    @contextmanager
    def stack_alone(self) -> Iterator[Trial]:
        """The broker and the database without services, as `handoff up --without-services` runs them."""
        with running(Trial(self.directory, PLAN, _quiet), services=False) as trial:
            yield trial

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command of `handoff` on the state directory. Return its exit code and its output."""
        argv = [str(_HANDOFF), *arguments, "--state", str(self.directory)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def run_json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The same, as the document that it prints."""
        argv = [str(_HANDOFF), *arguments, "--json", "--state", str(self.directory)]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    def send(self, member: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A command that must be stored, and what it is answered."""
        process = self.running.supervisor.processes[member]
        answer = httpx.post(
            f"{process.url}{path}", json=body or {}, headers={"Authorization": f"Bearer {process.token}"}, timeout=20
        )
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def order_redaction(self, *offsets: int, reason: str = "personal_data") -> None:
        """The coordinator orders the redaction of these values; returns once a checkpoint covers the orders."""
        record = self.record()
        for offset in offsets:
            value_hash = hashlib.sha256(record[offset].message.value or b"").hexdigest()
            order = {"offset": offset, "value_hash": value_hash, "reason": reason}
            self.send("coordination", "/directory/redactions", order)
        self.until_settled()
        end = self.record()[-1].offset + 1

        async def covered() -> bool:
            return bool((await self._query("police", "proven_size"))[0][0] >= end)

        asyncio.run(eventually(covered, _PATIENCE_SECONDS))

    def ask_shelter(self) -> tuple[str, str]:
        """Police open a case, record a release and ask the shelter; the case and the referral."""
        case = self.send("police", "/cases", OPENING)["case"]
        basis = self.send("police", f"/cases/{case}/bases", RELEASE)["basis"]
        request = {"target": "shelter", "service": "shelter", "urgency": "normal", "basis": basis}
        return case, self.send("police", f"/cases/{case}/referrals", request)["referral"]

    def until_shown(self, member: str, path: str, **wanted: str) -> None:
        """Returns once what a member shows at ``path`` is as wanted."""
        process = self.running.supervisor.processes[member]
        headers = {"Authorization": f"Bearer {process.token}"}

        async def shown() -> bool:
            async with httpx.AsyncClient(headers=headers, timeout=20) as http:
                answer = await http.get(f"{process.url}{path}")
            found = answer.json() if answer.status_code == 200 else {}
            return all(found.get(name) == value for name, value in wanted.items())

        asyncio.run(eventually(shown, _PATIENCE_SECONDS))

    def query(self, process: str, name: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of a named query to a process's database as the operator."""
        return asyncio.run(self._query(process, name, *arguments))

    def record(self) -> list[KafkaRecord]:
        """The whole record."""
        return asyncio.run(self._record())

    def until_settled(self) -> None:
        """Returns once exchange, projection and nodes have come to the record's end."""

        async def rests() -> bool:
            end = (await self._record())[-1].offset + 1
            routed = (await self._query("exchange", "exchange_routed_offset"))[0][0]
            shown = (await self._query("projection", "timeline_next_offset"))[0][0]
            given = {row["member"]: row["last_sequence"] for row in await self._query("exchange", "exchange_inboxes")}
            folded = {member: (await self._query(member, "node_position"))[0][0] for member in given}
            return routed == shown == end and given == folded

        asyncio.run(eventually(rests, _PATIENCE_SECONDS))

    def until_routed(self) -> None:
        """Returns once the exchange has come to the record's end."""

        async def rests() -> bool:
            return bool(
                (await self._query("exchange", "exchange_routed_offset"))[0][0] == (await self._record())[-1].offset + 1
            )

        asyncio.run(eventually(rests, _PATIENCE_SECONDS))

    async def _query(self, process: str, name: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.running.jurisdiction.postgres.dsn(f"{self.name}_{process}"))
        try:
            return await connection.fetch(QUERIES[name], *arguments)
        finally:
            await connection.close()

    async def _record(self) -> list[KafkaRecord]:
        return [entry async for entry in read_topic(self.running.jurisdiction.kafka, f"{self.name}.record")]


@contextmanager
def restartable_trial() -> Iterator[RestartableTrial]:
    """A directory for a trial, which ends with it."""
    with temporary_directory() as directory:
        kept = RestartableTrial(directory)
        try:
            yield kept
        finally:
            if kept.trial is None:
                kept.trial = Trial(directory, PLAN, _quiet)
            kept.trial.discard()
