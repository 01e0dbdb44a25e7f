"""Examination of an installation: every check, whatever the others find."""

import asyncio

from handoff.config import ConfigurationError
from handoff.operations.doctor.checkpoint import checkpoint_finding
from handoff.operations.doctor.clocks import broker_reading, clock_findings, database_readings
from handoff.operations.doctor.configuration import configuration_findings
from handoff.operations.doctor.findings import DoctorFinding, examined
from handoff.operations.doctor.keys import key_findings
from handoff.operations.doctor.positions import broker_findings
from handoff.operations.doctor.processes import ask_process
from handoff.operations.doctor.readable_settings import ReadableSettings
from handoff.operations.doctor.record_time import record_time_findings
from handoff.operations.doctor.verdicts import verdicts_finding
from handoff.operations.installation_settings import InstallationSettings


async def examine_installation(given: InstallationSettings) -> tuple[DoctorFinding, ...]:
    """Check every part that the settings name. Raises ConfigurationError without any, or if the only one is bad."""
    installed = ReadableSettings(given.location)
    if installed.is_one_process and not installed.processes:
        raise ConfigurationError("; ".join(map(str, installed.unreadable.values())))
    several = len(installed.processes) > 1

    async def configuration() -> tuple[DoctorFinding, ...]:
        return tuple(configuration_findings(installed))

    async def keys() -> tuple[DoctorFinding, ...]:
        return tuple(await key_findings(installed))

    async def broker() -> tuple[DoctorFinding, ...]:
        return await broker_findings(installed) if installed.processes else ()

    async def record_time() -> tuple[DoctorFinding, ...]:
        return tuple(await record_time_findings(installed))

    async def checkpoint() -> tuple[DoctorFinding, ...]:
        return (await checkpoint_finding(installed),) if installed.processes else ()

    answers = await asyncio.gather(*(ask_process(process, several=several) for process in installed.processes))

    async def verdicts() -> tuple[DoctorFinding, ...]:
        return (await verdicts_finding(installed),) if installed.processes else ()

    async def clocks() -> tuple[DoctorFinding, ...]:
        readings = [answer.clock for answer in answers if answer.clock is not None]
        readings += await database_readings(process.postgres for process in installed.processes)
        if (kafka := await broker_reading(installed, readings)) is not None:
            readings.append(kafka)
        return tuple(clock_findings(readings))

    return (
        *await examined("configuration", configuration),
        *await examined("keys", keys),
        *await examined("kafka", broker),
        *await examined("record time", record_time),
        *await examined("checkpoint", checkpoint),
        *await examined("verdicts", verdicts),
        *await examined("clocks", clocks),
        *(answer.finding for answer in answers),
    )
