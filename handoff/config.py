"""Configuration: settings of a process and the plan of a jurisdiction, each from a TOML file.

Nothing is read at import. The environment overrides a process's file: HANDOFF_KAFKA__PASSWORD is `kafka.password`.
"""

import os
import re
import tomllib
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from handoff.record.codes import Calendar, CaseService, DeadlineSource, MemberKind, RecipientClass
from handoff.record.events.base import JurisdictionId, MemberId
from handoff.record.events.directory import Deadline, ZoneName
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION
from handoff.transport import are_this_machine, is_protected_url, is_this_machine, is_verified, postgres_query

_POSTGRES_NAME_LIMIT = 63
MAX_RETENTION_DAYS = 3_650
CONFIG_VARIABLE = "HANDOFF_CONFIG"
DEFAULT_TIME_ZONE = "Europe/Belgrade"
"""Time zone in which pages and commands show times. The record itself is in UTC."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


_Model = TypeVar("_Model", bound=BaseModel)


class ConfigurationError(Exception):
    """An invalid setting. The message names its key and the allowed values, never the current value."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(_Section):
    """Connection of one principal to the brokers."""

    bootstrap_servers: str = Field(min_length=1)
    username: str
    password: SecretStr
    security_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    # The authority of the brokers' certificates. By default, the system's authorities.
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _remote_brokers_are_verified(self) -> Self:
        if self.security_protocol != "SASL_SSL" and not are_this_machine(self.bootstrap_servers):
            raise ValueError(
                "security_protocol: SASL_PLAINTEXT is allowed for brokers on localhost only; use SASL_SSL, and ca_file "
                "if the brokers' authority is not one of the system's"
            )
        return self


class PostgresSettings(_Section):
    """Connection of one role to its process's database."""

    host: str
    port: Port = 5432
    database: str
    user: str
    password: SecretStr
    # By default `verify-full`; on this machine `prefer`.
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] | None = None
    # The authority of the server's certificate. By default, the system's authorities.
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _remote_server_is_verified(self) -> Self:
        if not is_verified(self.host, self.sslmode):
            raise ValueError(
                f"sslmode: {self.sslmode} is allowed for a server on localhost only; use verify-full, and ca_file if "
                "the server's authority is not one of the system's"
            )
        return self

    @property
    def dsn(self) -> str:
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        password = quote(self.password.get_secret_value(), safe="")
        query = postgres_query(self.host, self.sslmode, self.ca_file, on_this_machine="prefer")
        return f"postgres://{user}:{password}@{self.host}:{self.port}/{database}?{query}"


class ListenerSettings(_Section):
    """Host at which a process serves HTTP, or HTTPS with a certificate."""

    host: str = "127.0.0.1"
    # The certificate with its chain, and its private key, as PEM.
    certificate_file: Path | None = None
    key_file: Path | None = None
    # A proxy beside the process ends TLS for it, so that plain HTTP stays on one machine.
    behind_proxy: bool = False

    @model_validator(mode="after")
    def _requests_are_protected(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file, key_file: name both or neither")
        if self.certificate_file is None and not self.behind_proxy and not is_this_machine(self.host):
            raise ValueError(
                "host: requests of other machines cross a network; name certificate_file and key_file, or set "
                "behind_proxy if a proxy beside the process ends TLS"
            )
        return self


def _address_or_network(text: str) -> str:
    ip_network(text)
    return text


AddressOrNetwork = Annotated[str, AfterValidator(_address_or_network)]


class HttpSettings(ListenerSettings):
    """Address of the API of a node."""

    port: Port
    # If all are in use, a new one replaces the one that has been idle or incomplete for the longest time.
    max_connections: int = Field(default=256, ge=8, le=100_000)
    # Addresses or networks of proxies whose X-Forwarded-Proto counts. Cookies are limited to TLS if a proxy states it.
    trusted_proxies: tuple[AddressOrNetwork, ...] = ("127.0.0.1", "::1")


class HealthSettings(ListenerSettings):
    """Liveness, readiness and metrics of a process: their address, and when a dependency counts as gone."""

    # Not the API's port: figures show how busy an institution is, so that only the operator may reach them.
    port: Port | None = None
    # A broker or a database without an answer for this time is not available.
    patience_seconds: float = Field(default=10, ge=0.5, le=600)


class CheckpointSettings(_Section):
    """Trust policy, cadence, and the key of a process that cosigns."""

    # The log, the cosigners and the quorum: a C2SP tlog-policy.
    trust_file: Path
    cadence_seconds: float = Field(default=600, ge=0.1, le=86_400)
    witness_key_file: Path | None = None
    # During a rotation: the witness signs with both.
    next_witness_key_file: Path | None = None


class AuditSettings(_Section):
    """Address of the audit API and the member's bearer token for receipts."""

    url: str = Field(min_length=1)
    token: SecretStr
    # The authority of the audit's certificate. By default, the public authorities.
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _token_is_protected(self) -> Self:
        if not is_protected_url(self.url):
            raise ValueError("url: it starts with https://, because a token is sent; http:// is for localhost only")
        return self


class LogSettings(_Section):
    """Log level and format, and the files of a log that `handoff up` writes; elsewhere the log is standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
    # A full file is renamed to `.1`, and the older ones to `.2` and so on.
    file_bytes: int = Field(default=16 * 1024 * 1024, ge=64 * 1024, le=1024**3)
    # Renamed files are deleted beyond this number, and once they are older than this.
    files: int = Field(default=20, ge=1, le=1_000)
    days: int = Field(default=30, ge=1, le=MAX_RETENTION_DAYS)


class RetentionSettings(_Section):
    """Days after which a node deletes rows that it no longer needs. docs/runbook.md explains each period."""

    # From the first use of an idempotency key.
    idempotency_key_days: int = Field(default=30, ge=1, le=MAX_RETENTION_DAYS)
    # From the expiry of a sign-in link, used or not.
    sign_in_link_days: int = Field(default=7, ge=1, le=MAX_RETENTION_DAYS)
    # From the end or the expiry of a sign-in session.
    session_days: int = Field(default=30, ge=1, le=MAX_RETENTION_DAYS)
    # From the last recorded read of a case in a session. A session is valid for hours.
    opening_days: int = Field(default=30, ge=1, le=MAX_RETENTION_DAYS)


class DutyContact(_Section):
    """Duty contact of an institution: shown on the board, never on the record."""

    phone: str = Field(pattern=r"^\+?[0-9][0-9 ]{1,19}$")
    hours: str = Field(pattern=r"^(24/7|[A-Za-z0-9:,. -]{3,60})$")


class ExchangeSettings(_Section):
    """Settings of an exchange alone."""

    # From a deadline to the event that reports it as missed: an answer sent in time may still be under way.
    grace_seconds: float = Field(default=2, ge=0, le=3600)
    # Submissions of one member: its topic is held back beyond this rate, and nothing is lost.
    member_rate: float = Field(default=1000, gt=0, le=1_000_000)
    # Submissions that one member may send without a pause, for example after an outage.
    member_burst: int = Field(default=5000, ge=1, le=1_000_000)


class ProjectionSettings(_Section):
    """Settings of a projection alone."""

    # A standby takes over if the timeline does not advance for this time while the record does.
    patience_seconds: float = Field(default=5, ge=0.1, le=600)


class ProcessSettings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="HANDOFF_", env_nested_delimiter="__", hide_input_in_errors=True
    )

    jurisdiction: JurisdictionId
    generation: int = Field(ge=1)
    genesis_sha256: Sha256Hex
    # A member's id, or `exchange`, `projection` or `monitor`.
    member: MemberId
    kafka: KafkaSettings
    postgres: PostgresSettings
    http: HttpSettings | None = None
    health: HealthSettings = HealthSettings()
    # Key that signs the process's events, or the projection's checkpoints and receipts.
    signing_key_file: Path | None = None
    # During a rotation: the key to sign with as soon as the record has it in force.
    next_signing_key_file: Path | None = None
    # Secret of 32 bytes, under which a node hashes idempotency keys and derives ids, and the projection derives the
    # references of the board. Back it up with the keys.
    idempotency_secret_file: Path | None = None
    # The bearer token of the agency's own system.
    token: SecretStr | None = None
    checkpoints: CheckpointSettings | None = None
    audit: AuditSettings | None = None
    # The timeline's database, as the audit or the coordinator's board reads it.
    timeline: PostgresSettings | None = None
    # Members that may request receipts from the audit API: member → SHA-256 of its token.
    callers: dict[MemberId, Sha256Hex] = Field(default_factory=dict)
    # Duty contact of each member, from the plan.
    duty: dict[MemberId, DutyContact] = Field(default_factory=dict)
    # Time zone of the pages.
    time_zone: ZoneInfo = Field(default_factory=lambda: ZoneInfo(DEFAULT_TIME_ZONE))
    log: LogSettings = LogSettings()
    # Distinguishes the processes of one member and stays the same over a restart. By default, host name and port.
    instance: str | None = Field(default=None, min_length=1)
    exchange: ExchangeSettings = ExchangeSettings()
    projection: ProjectionSettings = ProjectionSettings()
    retention: RetentionSettings = RetentionSettings()

    @model_validator(mode="after")
    def _sections_belong_to_the_process(self) -> Self:
        for section in (EXCHANGE, PROJECTION):
            if section in self.model_fields_set and self.member != section:
                raise ValueError(f"{section}: only the process of the member {section!r} has these settings")
        # The address of readiness and metrics is in [health].
        of_nodes = [section for section in ("http", "retention", "duty") if section in self.model_fields_set]
        if of_nodes and self.member in (EXCHANGE, PROJECTION, MONITOR):
            raise ValueError(f"{', '.join(of_nodes)}: only a member's node has these settings")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the library's signature)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file."""
        return env_settings, init_settings


class PlannedPlaces(_Section):
    """Places of a shelter: licensed ones, and those that its staff can serve. They are in no event."""

    licensed: int = Field(ge=0, le=10_000)
    staffed: int = Field(ge=0, le=10_000)


class PlannedMember(_Section):
    """An institution of the jurisdiction, its service, and its offer."""

    id: MemberId
    kind: MemberKind = MemberKind.AGENCY
    # The package under services/; a member without one has no process here.
    service: Name | None = None
    offers: tuple[CaseService, ...] = ()
    classes: tuple[RecipientClass, ...] = ()
    places: PlannedPlaces | None = None
    duty: DutyContact | None = None


class PlannedDeadline(Deadline):
    """A deadline with its name."""

    id: Name

    def terms(self) -> Deadline:
        """Return the deadline as published on the record."""
        return Deadline.model_validate(self.model_dump(exclude={"id"}))


_CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
MINUTES_A_DAY = 24 * 60


def _shift(written: object) -> object:
    """Return the minutes of a shift that is written as ``08:00-12:00``."""
    if not isinstance(written, str):
        return written
    minutes = []
    for text in written.split("-"):
        if (found := _CLOCK_TIME.fullmatch(text.strip())) is None:
            raise ValueError(f"{written!r} is not a shift such as '08:00-16:00'")
        minutes.append(MINUTES_A_DAY if found[1] is None else int(found[1]) * 60 + int(found[2]))
    return tuple(minutes)


DayShift = Annotated[tuple[int, int], BeforeValidator(_shift)]


class PlannedHours(_Section):
    """Working hours of some members; a day without shifts is not a working day."""

    members: tuple[MemberId, ...] = ()
    on_holidays: bool = False
    monday: tuple[DayShift, ...] = ()
    tuesday: tuple[DayShift, ...] = ()
    wednesday: tuple[DayShift, ...] = ()
    thursday: tuple[DayShift, ...] = ()
    friday: tuple[DayShift, ...] = ()
    saturday: tuple[DayShift, ...] = ()
    sunday: tuple[DayShift, ...] = ()


class PlannedCalendars(_Section):
    """Calendars of the jurisdiction: time zone, country of the public holidays, and working hours.

    ``confirmed`` are the dates of movable feasts in the years that the coordinator has checked; they replace the
    estimated ones of these years. ``years``: for so long the calendars are published in advance.
    """

    zone: ZoneName = DEFAULT_TIME_ZONE
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    confirmed: tuple[date, ...] = ()
    years: int = Field(6, ge=1, le=10)
    source: DeadlineSource = DeadlineSource.ASSUMED
    hours: tuple[PlannedHours, ...] = Field(min_length=1)

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except ZoneInfoNotFoundError:
            raise ValueError(f"{zone!r} is not a time zone of the IANA database") from None
        return zone


class _Jurisdiction(_Section):
    name: JurisdictionId
    generation: int = Field(ge=1)


class JurisdictionPlan(_Section):
    """A jurisdiction as `handoff init` founds it; members in directory order."""

    jurisdiction: _Jurisdiction
    members: tuple[PlannedMember, ...] = Field(min_length=1)
    deadlines: tuple[PlannedDeadline, ...] = ()
    ending_age_days: int = Field(30, ge=0, le=366)
    calendars: PlannedCalendars | None = None

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        for kind in (self.members, self.deadlines):
            ids = [row.id for row in kind]
            if twice := sorted({i for i in ids if ids.count(i) > 1}):
                raise ValueError(f"the id {twice[0]!r} is used twice; each may be used once")
        return self

    @model_validator(mode="after")
    def _calendars_are_complete(self) -> Self:
        counted = [row.id for row in self.deadlines if row.calendar is Calendar.WORKING]
        if self.calendars is None and counted:
            raise ValueError(f"the deadline {counted[0]!r} counts working time; add the section [calendars]")
        named = {member for row in (self.calendars.hours if self.calendars else ()) for member in row.members}
        if unknown := sorted(named - set(self.member_ids)):
            raise ValueError(f"calendars.hours: {unknown[0]!r} is not a member of this plan")
        return self

    @model_validator(mode="after")
    def _roles_have_room(self) -> Self:
        longest = max(self.member_ids, key=len)
        if len(f"{self.name}_{longest}_owner") > _POSTGRES_NAME_LIMIT:
            raise ValueError(f"the jurisdiction's name and {longest!r} are too long together for a database role")
        return self

    @property
    def name(self) -> str:
        return self.jurisdiction.name

    @property
    def generation(self) -> int:
        return self.jurisdiction.generation

    @property
    def member_ids(self) -> tuple[str, ...]:
        return tuple(member.id for member in self.members)

    def renamed(self, name: str) -> "JurisdictionPlan":
        """Return the plan under another name."""
        renamed = self.jurisdiction.model_copy(update={"name": name})
        return self.model_copy(update={"jurisdiction": renamed})


class _FileSettings(ProcessSettings):
    """Process settings that the environment does not override."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the library's signature)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the library's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def process_settings(path: Path | None = None, *, environment: bool = True) -> ProcessSettings:
    """Read one process's settings from the file at `path`, else at $HANDOFF_CONFIG.

    The environment overrides the file unless `environment` is false, as for a directory of several processes' files.
    Raises ConfigurationError.
    """
    chosen = path or _path_from_environment()
    model = ProcessSettings if environment else _FileSettings
    try:
        return model(**_toml(chosen))
    except ValidationError as error:
        raise ConfigurationError(_explain(chosen, model, error)) from None


def jurisdiction_plan(path: Path) -> JurisdictionPlan:
    """Read the plan in the file at `path`. Raises ``ConfigurationError``."""
    return read_toml(path, JurisdictionPlan)


def read_toml(path: Path, model: type[_Model]) -> _Model:
    """Read the TOML file at `path` as a `model`. Raises ``ConfigurationError``, which names each wrong key."""
    try:
        return model.model_validate(_toml(path))
    except ValidationError as error:
        raise ConfigurationError(_explain(path, model, error)) from None


def _path_from_environment() -> Path:
    named = os.environ.get(CONFIG_VARIABLE)
    if not named:
        raise ConfigurationError(f"{CONFIG_VARIABLE} is not set: it names the TOML file of this process")
    return Path(named)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None


def _explain(path: Path, model: type[BaseModel], error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "\n".join(f"{path}: {_sentence(model, detail)}" for detail in details)


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = ", ".join(_section(model, detail["loc"][:-1]).model_fields)
        return f"{key}: there is no such key; allowed are {allowed}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _section(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of the section at `location`."""
    for part in location:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return model


def _model_in(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_model_in(inner) for inner in annotation.__args__ if inner is not type(None) and inner is not Ellipsis)
