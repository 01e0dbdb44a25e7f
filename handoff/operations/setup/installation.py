"""What `handoff init` lays down in a state directory: keys, trust, and one configuration per process.

Everything is made once and kept; running it again adds what a changed plan asks for and changes nothing else.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import tomli_w

from handoff.adapters.files.private_file import write_private
from handoff.config import PlannedMember, PostgresSettings
from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.operations.setup.stored_secrets import StoredSecrets
from handoff.operations.setup.trust_policy import trust_file, witness_owner
from handoff.record import codec, signing
from handoff.record.codes import MemberKind
from handoff.record.envelope import COORDINATION, EXCHANGE, Event
from handoff.record.events.directory import Admission
from handoff.record.topics import AUDIT, MONITOR, PROJECTION, agencies

# Ten minutes in earnest; whoever tries it out does not wait so long for a seal.
_CADENCE_SECONDS = 2.0


def local_url(port: int) -> str:
    """The base address of whoever listens at ``port`` of this machine."""
    return f"http://127.0.0.1:{port}"


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
        return local_url(self.port)


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
            event = founding_event(self.charter, self._kept.key(COORDINATION), self._kept.key(EXCHANGE), now)
            write_private(path, codec.encode(event).decode())
        return path.read_bytes()

    def founding_events(self, now: datetime) -> Iterator[Event[Any]]:
        """What the coordinator says first, in order; said again, it is the same."""
        yield codec.decode(self.genesis(now))
        admitted = ((self._admission(member), self._kept.key(member.id)) for member in self.jurisdiction.plan.members)
        for event in admission_events(self.charter, admitted, now):
            yield codec.decode(self._as_said_first(event))

    def _as_said_first(self, event: Event[Any]) -> bytes:
        """An admission's bytes, kept: said anew by a coordinator that lost its database, it would be another event."""
        path = self.directory / "founding" / f"{event.id}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, codec.encode(event).decode())
        return path.read_bytes()

    def write(self, now: datetime) -> tuple[Process, ...]:
        """Writes what is missing and every process's configuration; gives the processes in the order to start."""
        self.genesis(now)
        write_private(self.trust_file, trust_file(self.jurisdiction.plan, self._kept, self.anchor()))
        ports = {process: self.service_port(index) for index, (process, _, _) in enumerate(self._named())}
        processes = tuple(self._write(*named, ports) for named in self._named())
        write_private(self._register, json.dumps([asdict(process) for process in processes], default=str, indent=2))
        return processes

    def processes(self) -> tuple[Process, ...]:
        """The processes as they were written last, by whomever."""
        return tuple(
            Process(**{**row, "config": Path(row["config"])}) for row in json.loads(self._register.read_text())
        )

    @property
    def trust_file(self) -> Path:
        """Whom an auditor of this jurisdiction trusts; written anew whenever a member is added."""
        return self.directory / "trust.policy"

    @property
    def _kept(self) -> StoredSecrets:
        return StoredSecrets(self.directory)

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
        yield MONITOR, "services.monitor", ""
        for member in self.jurisdiction.plan.members:
            if member.service is not None:
                yield member.id, f"services.{member.service}", ""

    def _write(self, process: str, module: str, role: str, ports: Mapping[str, int]) -> Process:
        config = self.directory / "config" / f"{process}.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        settings = self._settings(process, role, ports[process]) | self._proof(process, ports)
        write_private(config, tomli_w.dumps(settings))
        return Process(process, module, ports[process], config, self._kept.token(process))

    def _settings(self, process: str, role: str, port: int) -> dict[str, Any]:
        kafka = self.jurisdiction.kafka_settings(process)
        settings: dict[str, Any] = {
            "jurisdiction": self.jurisdiction.name,
            "generation": self.jurisdiction.plan.generation,
            "genesis_sha256": self.anchor(),
            "member": process,
            "token": self._kept.token(process),
            "kafka": kafka.model_dump(mode="json", exclude_none=True) | {"password": kafka.password.get_secret_value()},
            "postgres": _written(self.jurisdiction.postgres_settings(process, role)),
            "http": {"port": port},
        }
        if process != MONITOR:
            settings["signing_key_file"] = str(self._kept.key_file(process))
        return settings

    def _proof(self, process: str, ports: Mapping[str, int]) -> dict[str, Any]:
        """Checkpoints for all who read them, receipts for all who emit, and for the audit what it answers from."""
        if process == EXCHANGE:
            return {}
        checkpoints: dict[str, Any] = {"trust_file": str(self.trust_file), "cadence_seconds": _CADENCE_SECONDS}
        if process in (MONITOR, *agencies(self.jurisdiction.members)):
            checkpoints["witness_key_file"] = str(self._kept.key_file(witness_owner(process)))
        sections: dict[str, Any] = {"checkpoints": checkpoints}
        if AUDIT in ports and process in self.jurisdiction.members:
            sections["audit"] = {"url": local_url(ports[AUDIT]), "token": self._kept.token(_caller(process))}
        if process == AUDIT:
            sections["timeline"] = _written(self.jurisdiction.postgres_settings(PROJECTION, "reader"))
            sections["callers"] = {
                member: signing.sha256(self._kept.token(_caller(member)).encode())
                for member in self.jurisdiction.members
            }
        return sections

    def _admission(self, member: PlannedMember) -> Admission:
        kind = MemberKind(member.kind)
        return Admission(member=member.id, kind=kind, services=member.offers, classes=member.classes)


def _caller(member: str) -> str:
    """The name under which a member's token for the audit API is kept."""
    return f"{member}@{AUDIT}"


def _written(settings: PostgresSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json") | {"password": settings.password.get_secret_value()}
