"""A jurisdiction set up on real parts: its topics, users, rights and databases, and how each process reaches them."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr

from handoff.adapters.files.private_file import write_private
from handoff.config import JurisdictionPlan, KafkaSettings, PostgresSettings
from handoff.operations.setup import broker_setup, database_setup
from handoff.operations.setup.access import principals, user_name
from handoff.operations.setup.database_setup import Database, DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION


@dataclass(frozen=True)
class Passwords:
    """One password for each principal at the broker and for each role at the database."""

    kafka: Mapping[str, str]
    postgres: Mapping[str, str]


@dataclass(frozen=True)
class Jurisdiction:
    """A jurisdiction as it stands on a broker and a database server."""

    plan: JurisdictionPlan
    kafka: KafkaOperator
    postgres: DatabaseOperator
    passwords: Passwords

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def members(self) -> tuple[str, ...]:
        return self.plan.member_ids

    def kafka_settings(self, principal: str) -> KafkaSettings:
        """How a principal (a member's id, `exchange`, `projection` or `monitor`) logs in to the broker."""
        return KafkaSettings(
            bootstrap_servers=self.kafka.bootstrap_servers,
            username=user_name(self.name, principal),
            password=SecretStr(self.passwords.kafka[principal]),
            security_protocol="SASL_SSL" if self.kafka.security_protocol == "SASL_SSL" else "SASL_PLAINTEXT",
            ca_file=self.kafka.ca_file,
        )

    def postgres_settings(self, process: str, role: str = "") -> PostgresSettings:
        """How a process logs in to its database, as `owner`, as the projection's `writer` or `reader`, or as itself."""
        database = f"{self.name}_{process}"
        user = f"{database}_{role}" if role else database
        return PostgresSettings(
            host=self.postgres.host,
            port=self.postgres.port,
            database=database,
            user=user,
            password=SecretStr(self.passwords.postgres[user]),
        )

    async def apply(self) -> tuple[str, ...]:
        """Brings both servers to the plan; gives the topics that were new. Idempotent.

        Raises BrokerSetupError or DatabaseSetupError.
        """
        created, _ = await asyncio.gather(self.apply_broker(), self.apply_databases())
        return created

    async def apply_broker(self) -> tuple[str, ...]:
        """The broker's part alone."""
        return await broker_setup.apply(self.kafka, self.name, self.members, self.passwords.kafka)

    async def apply_databases(self) -> None:
        """The databases' part alone."""
        await database_setup.apply(self.postgres, databases(self.plan), self.passwords.postgres)


def databases(plan: JurisdictionPlan) -> tuple[Database, ...]:
    """One database for each process of the jurisdiction."""
    nodes = (Database(plan.name, member.id, "node") for member in plan.members if member.service)
    return (
        Database(plan.name, EXCHANGE, "exchange"),
        Database(plan.name, PROJECTION, "projection"),
        Database(plan.name, MONITOR, "monitor"),
        *nodes,
    )


def stored_passwords(plan: JurisdictionPlan, path: Path) -> Passwords:
    """The passwords kept in the file at `path`; whoever has none yet gets one."""
    kept = Passwords(**json.loads(path.read_text())) if path.exists() else Passwords({}, {})
    passwords = new_passwords(plan)
    complete = Passwords({**passwords.kafka, **kept.kafka}, {**passwords.postgres, **kept.postgres})
    if complete != kept:
        write_private(path, json.dumps(asdict(complete), indent=2))
    return complete


def new_passwords(plan: JurisdictionPlan) -> Passwords:
    """New passwords for everyone in the plan."""
    roles = (role for database in databases(plan) for role in (database.owner, *database.logins))
    return Passwords(
        {principal.id: secrets.token_hex(16) for principal in principals(plan.name, plan.member_ids)},
        {role: secrets.token_hex(16) for role in roles},
    )
