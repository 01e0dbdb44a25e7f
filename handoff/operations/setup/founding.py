"""Set-up of an installation from its plan: brokers, databases, keys, configurations and founding events."""

from datetime import datetime
from pathlib import Path

from handoff.adapters.files.private_file import private_directory
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.config import JurisdictionPlan
from handoff.node.rows import OutboxRow
from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.installation import Installation, Process
from handoff.operations.setup.jurisdiction import Jurisdiction, stored_passwords
from handoff.operations.setup.kafka_operator import KafkaOperator


def installation_in(
    directory: Path, plan: JurisdictionPlan, kafka: KafkaOperator, postgres: DatabaseOperator, *, first_port: int
) -> Installation:
    """Installation of ``plan`` in ``directory``.

    A process keeps the port that it has. Others listen on ``first_port`` and the ports after it, in an existing
    installation on the ports after its lowest one.
    """
    directory = directory.absolute()
    private_directory(directory)
    jurisdiction = Jurisdiction(plan, kafka, postgres, stored_passwords(plan, directory / "passwords.json"))
    stored = Installation(directory, jurisdiction, lambda index: first_port + index)
    if not stored.is_written:
        return stored
    base = min(min(process.port, process.health_port) for process in stored.processes())
    return Installation(directory, jurisdiction, lambda index: base + index)


async def initialise(installation: Installation, now: datetime) -> tuple[Process, ...]:
    """Bring brokers and databases to the plan, write the files, and store the founding events for sending.

    Idempotent: a repetition adds what a changed plan requires. Returns the processes in start order. Raises
    BrokerSetupError and DatabaseSetupError.
    """
    await installation.jurisdiction.apply()
    return await found(installation, now)


async def found(installation: Installation, now: datetime) -> tuple[Process, ...]:
    """Write the files, and store the founding events in the coordinator's outbox. Idempotent."""
    processes = installation.write(now)
    outbox = installation.coordinator_database
    async with open_pool(outbox) as pool, PostgresStore(pool).transaction() as tx:
        await tx.enqueue([OutboxRow.of(event, now) for event in installation.founding_events(now)])
    return processes
