"""What `handoff init` lays down in a state directory: keys, the trust anchor, and one configuration per process.

Everything is made once and kept; running it again adds what a changed plan asks for and changes nothing else.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import tomli_w

from handoff.config import PlannedMember
from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.record import codec, signing
from handoff.record.codes import MemberKind
from handoff.record.envelope import COORDINATION, EXCHANGE, Event
from handoff.record.events.directory import Admission
from handoff.record.topics import PROJECTION
from handoff.trial.jurisdiction import Jurisdiction
from handoff.trial.state import write_private


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the jurisdiction: who it is, what runs it, and where it listens."""

    id: str
    module: str
    port: int
    config: Path
    token: str

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Installation:
    """One jurisdiction in one state directory; ``service_port`` gives the port of the n-th process."""

    directory: Path
    jurisdiction: Jurisdiction
    service_port: Callable[[int], int]

    @property
    def charter(self) -> Charter:
        """What the coordinator lays down."""
        plan = self.jurisdiction.plan
        deadlines = tuple(deadline.terms() for deadline in plan.deadlines)
        return Charter(plan.name, plan.generation, COORDINATION, deadlines)

    def genesis(self, now: datetime) -> bytes:
        """The founding event's bytes: made once, at ``now``, and kept."""
        path = self.directory / "genesis.json"
        if not path.exists():
            event = founding_event(self.charter, self._key(COORDINATION), self._key(EXCHANGE), now)
            write_private(path, codec.encode(event).decode())
        return path.read_bytes()

    def founding_events(self, now: datetime) -> Iterator[Event[Any]]:
        """What the coordinator says first, in order; said again, it is the same."""
        yield codec.decode(self.genesis(now))
        admitted = ((self._admission(member), self._key(member.id)) for member in self.jurisdiction.plan.members)
        yield from admission_events(self.charter, admitted, now)

    def write(self, now: datetime) -> tuple[Process, ...]:
        """Writes what is missing and every process's configuration; gives the processes in the order to start."""
        self.genesis(now)
        processes = tuple(self._write(index, *named) for index, named in enumerate(self._named()))
        write_private(self._register, json.dumps([asdict(process) for process in processes], default=str, indent=2))
        return processes

    def processes(self) -> tuple[Process, ...]:
        """The processes as they were written last, by whomever."""
        return tuple(
            Process(**{**row, "config": Path(row["config"])}) for row in json.loads(self._register.read_text())
        )

    @property
    def _register(self) -> Path:
        return self.directory / "processes.json"

    def anchor(self) -> str:
        """The trust anchor: the SHA-256 of the founding event, hexadecimal."""
        return signing.sha256((self.directory / "genesis.json").read_bytes())

    def _named(self) -> Iterator[tuple[str, str, str]]:
        """Process id, module and database role of every process."""
        yield EXCHANGE, "services.exchange", ""
        yield PROJECTION, "services.projection", "writer"
        for member in self.jurisdiction.plan.members:
            if member.service is not None:
                yield member.id, f"services.{member.service}", ""

    def _write(self, index: int, process: str, module: str, role: str) -> Process:
        config = self.directory / "config" / f"{process}.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        token, port = self._token(process), self.service_port(index)
        write_private(config, tomli_w.dumps(self._settings(process, role, port, token)))
        return Process(process, module, port, config, token)

    def _settings(self, process: str, role: str, port: int, token: str) -> dict[str, Any]:
        kafka = self.jurisdiction.kafka_settings(process)
        postgres = self.jurisdiction.postgres_settings(process, role)
        settings: dict[str, Any] = {
            "jurisdiction": self.jurisdiction.name,
            "generation": self.jurisdiction.plan.generation,
            "genesis_sha256": self.anchor(),
            "member": process,
            "token": token,
            "kafka": kafka.model_dump(mode="json", exclude_none=True) | {"password": kafka.password.get_secret_value()},
            "postgres": postgres.model_dump(mode="json") | {"password": postgres.password.get_secret_value()},
            "http": {"port": port},
        }
        if process != PROJECTION:
            settings["signing_key_file"] = str(self._key_file(process))
        return settings

    def _admission(self, member: PlannedMember) -> Admission:
        kind = MemberKind(member.kind)
        return Admission(member=member.id, kind=kind, services=member.offers, classes=member.classes)

    def _key_file(self, owner: str) -> Path:
        return self.directory / "keys" / f"{owner}.key"

    def _key(self, owner: str) -> signing.SigningKey:
        path = self._key_file(owner)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, secrets.token_hex(32))
        return signing.SigningKey.from_hex(path.read_text())

    def _token(self, process: str) -> str:
        path = self.directory / "tokens.json"
        tokens: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if process not in tokens:
            tokens[process] = secrets.token_urlsafe(24)
            write_private(path, json.dumps(tokens, indent=2))
        return tokens[process]
