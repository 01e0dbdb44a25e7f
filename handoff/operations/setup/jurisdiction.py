"""Set-up of a jurisdiction on brokers and a database server, and the logins of its processes."""

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
    """Passwords of all principals at the broker and of all roles at the database server."""

    kafka: Mapping[str, str]
    postgres: Mapping[str, str]


@dataclass(frozen=True)
class Jurisdiction:
    """A jurisdiction's plan, the operators of its broker and database server, and all passwords."""

    plan: JurisdictionPlan
    kafka: KafkaOperator
    postgres: DatabaseOperator
    passwords: Passwords

    @property
    def name(self) -> str:
        """Name of the jurisdiction."""
        return self.plan.name

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of all members."""
        return self.plan.member_ids

    def kafka_settings(self, principal: str) -> KafkaSettings:
        """Login at the broker of a principal: a member's id, `exchange`, `projection` or `monitor`."""
        return KafkaSettings(
            bootstrap_servers=self.kafka.bootstrap_servers,
            username=user_name(self.name, principal),
            password=SecretStr(self.passwords.kafka[principal]),
            security_protocol=self.kafka.protocol,
            ca_file=self.kafka.ca_file,
        )

    def postgres_settings(self, process: str, role: str = "") -> PostgresSettings:
        """Login at a process's database: its own role, `owner`, or the projection's `writer`, `reader`, `board`."""
        database = f"{self.name}_{process}"
        user = f"{database}_{role}" if role else database
        return PostgresSettings(
            host=self.postgres.host,
            port=self.postgres.port,
            database=database,
            user=user,
            password=SecretStr(self.passwords.postgres[user]),
            sslmode=self.postgres.sslmode,
            ca_file=self.postgres.ca_file,
        )

    async def apply(self) -> tuple[str, ...]:
        """Bring broker and database server to the plan. Return the names of the created topics. Idempotent.

        Raises BrokerSetupError or DatabaseSetupError.
        """
        created, _ = await asyncio.gather(self.apply_broker(), self.apply_databases())
        return created

    async def apply_broker(self) -> tuple[str, ...]:
        """Bring only the broker to the plan."""
        return await broker_setup.apply(self.kafka, self.name, self.members, self.passwords.kafka)

    async def apply_databases(self) -> None:
        """Bring only the database server to the plan."""
        await database_setup.apply(self.postgres, databases(self.plan), self.passwords.postgres)


def databases(plan: JurisdictionPlan) -> tuple[Database, ...]:
    """Databases of a jurisdiction, one for each process."""
    nodes = (Database(plan.name, member.id, "node") for member in plan.members if member.service)
    return (
        Database(plan.name, EXCHANGE, "exchange"),
        Database(plan.name, PROJECTION, "projection"),
        Database(plan.name, MONITOR, "monitor"),
        *nodes,
    )


def stored_passwords(plan: JurisdictionPlan, path: Path) -> Passwords:
    """Passwords in the file at `path`, after adding those that are missing."""
    stored = Passwords(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Passwords({}, {})
    new = new_passwords(plan)
    complete = Passwords({**new.kafka, **stored.kafka}, {**new.postgres, **stored.postgres})
    if complete != stored:
        write_private(path, json.dumps(asdict(complete), indent=2))
    return complete


def new_passwords(plan: JurisdictionPlan) -> Passwords:
    """New passwords for all principals and roles of the plan."""
    roles = (role for database in databases(plan) for role in (database.owner, *database.logins))
    return Passwords(
        {principal.id: secrets.token_hex(16) for principal in principals(plan.name, plan.member_ids)},
        {role: secrets.token_hex(16) for role in roles},
    )
