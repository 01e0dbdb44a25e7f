"""Files of an installation in its state directory: keys, trust file, and one configuration for each process.

Each key and event is created once. A repetition adds what a changed plan requires and changes nothing else.
"""

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import tomli_w

from handoff.adapters.files.private_file import write_private
from handoff.config import ConfigurationError, PlannedMember, PostgresSettings
from handoff.domain.founding import Charter, admission_events, calendar_events, founding_event
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.operations.setup.planned_calendars import calendars
from handoff.operations.setup.stored_secrets import StoredSecrets
from handoff.operations.setup.trust_policy import trust_file, witness_owner
from handoff.proof.verify.trust import MalformedTrustFile, TrustPolicy
from handoff.record import codec, signing
from handoff.record.codes import MemberKind
from handoff.record.envelope import COORDINATION, EXCHANGE, Event
from handoff.record.events.directory import Admission
from handoff.record.topics import AUDIT, MONITOR, PROJECTION, agencies

# Production has ten minutes. On a trial, a cosigned checkpoint should not take that long.
_CADENCE_SECONDS = 2.0


_LOCAL = "http://127.0.0.1:"
# Keys that `init` writes, and removes where the plan no longer needs them.
_WRITTEN = frozenset(
    {
        *(
            "jurisdiction",
            "generation",
            "genesis_sha256",
            "member",
            "token",
            "signing_key_file",
            "idempotency_secret_file",
        ),
        *("kafka", "postgres", "health", "http", "checkpoints", "audit", "timeline", "callers", "duty"),
    }
)


def local_url(port: int) -> str:
    """Base URL of the process that listens on ``port`` of this machine."""
    return f"{_LOCAL}{port}"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the jurisdiction: its id, its module, its ports, its configuration and its bearer token.

    A process without an API has one port, that of health and metrics.
    """

    id: str
    module: str
    port: int
    health_port: int
    config: Path
    token: str

    @property
    def url(self) -> str:
        """Base URL of the process's API."""
        return local_url(self.port)

    @property
    def health_url(self) -> str:
        """Base URL of its readiness and its metrics."""
        return local_url(self.health_port)

    @property
    def has_api(self) -> bool:
        """Return whether the process serves an API."""
        return self.port != self.health_port


@dataclass(frozen=True)
class Installation:
    """One jurisdiction in one state directory; ``service_port`` returns the n-th port that a process may get."""

    directory: Path
    jurisdiction: Jurisdiction
    service_port: Callable[[int], int]

    @property
    def charter(self) -> Charter:
        """Terms of the founding event."""
        plan = self.jurisdiction.plan
        deadlines = tuple(deadline.terms() for deadline in plan.deadlines)
        return Charter(plan.name, plan.generation, COORDINATION, deadlines, plan.ending_age_days * 86_400)

    def _with_calendars(self, founded_at: datetime) -> Charter:
        planned = self.jurisdiction.plan.calendars
        return replace(self.charter, calendars=calendars(planned, founded_at.year) if planned is not None else None)

    def genesis(self, now: datetime) -> bytes:
        """Bytes of the founding event, which is created at ``now`` if it does not exist yet."""
        path = self.directory / "genesis.json"
        if not path.exists():
            event = founding_event(self.charter, self._secrets.key(COORDINATION), self._secrets.key(EXCHANGE), now)
            write_private(path, codec.encode(event).decode())
        return path.read_bytes()

    def founding_events(self, now: datetime) -> Iterator[Event[Any]]:
        """The coordinator's first events in order. A repetition returns the same events."""
        founding = codec.decode(self.genesis(now))
        yield founding
        admitted = (
            (self._admission(member), self._secrets.key(member.id)) for member in self.jurisdiction.plan.members
        )
        # They follow from the plan and the time of the founding, so only a changed plan publishes them again.
        published = calendar_events(self._with_calendars(founding.time), founding.time)
        for event in (*admission_events(self.charter, admitted, now), *published):
            yield codec.decode(self._stored_admission(event))

    def _stored_admission(self, event: Event[Any]) -> bytes:
        """Bytes of an admission, stored at its first creation.

        Created again, after the coordinator lost its database, it would be another event with the same id.
        """
        path = self.directory / "founding" / f"{event.id}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, codec.encode(event).decode())
        return path.read_bytes()

    def write(self, now: datetime) -> tuple[Process, ...]:
        """Write what is missing, and the configuration of each process. Return the processes in start order."""
        self.genesis(now)
        trust = trust_file(self.jurisdiction.plan, self._secrets, self.anchor(), self._trust_before())
        write_private(self.trust_file, trust)
        ports = self._ports()
        processes = tuple(self._write(*named, ports) for named in self._named())
        write_private(self._register, json.dumps([asdict(process) for process in processes], default=str, indent=2))
        return processes

    def _ports(self) -> Mapping[str, int]:
        """Ports by name. A process keeps its ports, whatever else the plan gains or loses."""
        path = self.directory / "ports.json"
        ports: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        free = (port for port in map(self.service_port, count()) if port not in ports.values())
        processes = [process for process, _, _ in self._named()]
        for name in (*processes, *(_health(process) for process in processes if self._has_api(process))):
            if name not in ports:
                ports[name] = next(free)
        write_private(path, json.dumps(ports, indent=2))
        return ports

    def processes(self) -> tuple[Process, ...]:
        """Processes as last written, by this process or another."""
        return tuple(
            Process(**{**row, "config": Path(row["config"])})
            for row in json.loads(self._register.read_text(encoding="utf-8"))
        )

    @property
    def trust_file(self) -> Path:
        """Trust file of the jurisdiction; written again when a member is added."""
        return self.directory / "trust.policy"

    def _trust_before(self) -> TrustPolicy | None:
        """Policy of the last `init`, with the keys of later rotations; None if there is none."""
        try:
            return TrustPolicy.parse(self.trust_file.read_bytes()) if self.trust_file.exists() else None
        except MalformedTrustFile as error:
            # Written over, the file would forget the keys that bundles of before were signed with.
            raise ConfigurationError(f"{self.trust_file}: {error}. Restore it from a backup") from None

    @property
    def is_written(self) -> bool:
        """Return whether the directory already has an installation."""
        return self._register.exists()

    @property
    def _secrets(self) -> StoredSecrets:
        return StoredSecrets(self.directory)

    @property
    def _register(self) -> Path:
        return self.directory / "processes.json"

    def anchor(self) -> str:
        """Trust anchor: SHA-256 of the founding event, in hexadecimal."""
        return signing.sha256((self.directory / "genesis.json").read_bytes())

    @property
    def coordinator_database(self) -> PostgresSettings:
        """Database of the coordinator's node, whose outbox has the founding events."""
        return self.jurisdiction.postgres_settings(COORDINATION)

    def _named(self) -> Iterator[tuple[str, str, str]]:
        """Id, module and database role of each process."""
        yield EXCHANGE, "services.exchange", ""
        yield PROJECTION, "services.projection", "writer"
        yield MONITOR, "services.monitor", ""
        for member in self.jurisdiction.plan.members:
            if member.service is not None:
                yield member.id, f"services.{member.service}", ""

    def _write(self, process: str, module: str, role: str, ports: Mapping[str, int]) -> Process:
        config = self.directory / "config" / f"{process}.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        settings = self._settings(process, role, ports) | self._proof(process, ports)
        write_private(config, tomli_w.dumps(with_operator_settings(settings, _stored(config))))
        port, token = ports[process], self._secrets.token(process)
        return Process(process, module, port, ports.get(_health(process), port), config, token)

    def _has_api(self, process: str) -> bool:
        return process in self.jurisdiction.members

    def _settings(self, process: str, role: str, ports: Mapping[str, int]) -> dict[str, Any]:
        kafka = self.jurisdiction.kafka_settings(process)
        settings: dict[str, Any] = {
            "jurisdiction": self.jurisdiction.name,
            "generation": self.jurisdiction.plan.generation,
            "genesis_sha256": self.anchor(),
            "member": process,
            "token": self._secrets.token(process),
            "kafka": kafka.model_dump(mode="json", exclude_none=True) | {"password": kafka.password.get_secret_value()},
            "postgres": _with_password(self.jurisdiction.postgres_settings(process, role)),
            "health": {"port": ports.get(_health(process), ports[process])},
        }
        if self._has_api(process):
            settings["http"] = {"port": ports[process]}
        if process != MONITOR:
            settings["signing_key_file"] = str(self._secrets.key_file(process))
        if process in self.jurisdiction.members:
            settings["duty"] = self._duty()
        if process in (PROJECTION, *self.jurisdiction.members):
            settings["idempotency_secret_file"] = str(self._secrets.key_file(f"{process}.idempotency"))
        return settings

    def _proof(self, process: str, ports: Mapping[str, int]) -> dict[str, Any]:
        """Sections: checkpoints for their readers, receipts for emitters, the timeline's database for its readers."""
        if process == EXCHANGE:
            return {}
        checkpoints: dict[str, Any] = {"trust_file": str(self.trust_file), "cadence_seconds": _CADENCE_SECONDS}
        if process in (MONITOR, *agencies(self.jurisdiction.members)):
            checkpoints["witness_key_file"] = str(self._secrets.key_file(witness_owner(process)))
        sections: dict[str, Any] = {"checkpoints": checkpoints}
        if AUDIT in ports and process in self.jurisdiction.members:
            sections["audit"] = {"url": local_url(ports[AUDIT]), "token": self._secrets.token(_caller(process))}
        if process == COORDINATION:
            sections["timeline"] = _with_password(self.jurisdiction.postgres_settings(PROJECTION, "board"))
        if process == AUDIT:
            sections["timeline"] = _with_password(self.jurisdiction.postgres_settings(PROJECTION, "reader"))
            sections["callers"] = {
                member: signing.sha256(self._secrets.token(_caller(member)).encode())
                for member in self.jurisdiction.members
            }
        return sections

    def _duty(self) -> dict[str, Any]:
        """Return the duty contact of each member."""
        members = self.jurisdiction.plan.members
        return {member.id: member.duty.model_dump(mode="json") for member in members if member.duty is not None}

    def _admission(self, member: PlannedMember) -> Admission:
        kind = MemberKind(member.kind)
        return Admission(member=member.id, kind=kind, services=member.offers, classes=member.classes)


def with_operator_settings(written: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings ``written`` by `handoff init`, with those that an operator has added to the ``stored`` ones.

    These are sections and keys that `init` does not write, such as `[log]` and `http.certificate_file`, and the
    address of an audit on another machine.
    """
    merged = {**{key: value for key, value in stored.items() if key not in _WRITTEN}, **written}
    for section in ("http", "health", "checkpoints"):
        if section in written:
            merged[section] = {**stored.get(section, {}), **written[section]}
    audit = stored.get("audit", {})
    if "audit" in written and not str(audit.get("url", _LOCAL)).startswith(_LOCAL):
        merged["audit"] = {**audit, "token": written["audit"]["token"]}
    return merged


def _stored(config: Path) -> Mapping[str, Any]:
    """Settings in an existing file; none if it cannot be read, because it is written again then."""
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _health(process: str) -> str:
    """Name under which the health port of a process with an API is stored."""
    return f"{process}/health"


def _caller(member: str) -> str:
    """Name under which a member's token for the audit API is stored."""
    return f"{member}@{AUDIT}"


def _with_password(settings: PostgresSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_none=True) | {"password": settings.password.get_secret_value()}
