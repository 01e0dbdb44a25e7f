"""Comparison of the timeline's verdicts on the whole record with the monitor's signed digest."""

import asyncio

from handoff import clock
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.kafka.client import BrokerUnavailable
from handoff.adapters.kafka.record_reader import RecordBroken
from handoff.adapters.kafka.verdicts_topic import VerdictsTopic
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.verdict_comparison import VerdictComparer
from handoff.judging.verdict_statement import ComparedVerdicts, NotAStatement, VerdictComparison
from handoff.operations.doctor.findings import UNREACHABLE, DoctorFinding, start_advice
from handoff.operations.installation_settings import InstallationSettings, SettingsNotFound
from handoff.record.topics import AUDIT, MONITOR, PROJECTION

_BROKER_SECONDS = 10
_READERS = (PROJECTION, AUDIT, MONITOR)


async def verdicts_finding(installed: InstallationSettings) -> DoctorFinding:
    """Compare every stored verdict with the monitor's digest of its own."""
    processes = {settings.member: settings for settings in installed.processes}
    reader = next((processes[name] for name in _READERS if name in processes), None)
    try:
        checkpoints, database = installed.checkpoints, installed.timeline_reader
    except SettingsNotFound as error:
        return DoctorFinding("verdicts", "unchecked", str(error))
    if reader is None:
        return DoctorFinding("verdicts", "unchecked", "no settings of projection, audit or monitor")
    trust = trusted(checkpoints, installed.origin)
    topic = VerdictsTopic(reader.kafka, installed.origin, client_id=f"{reader.member}-doctor")
    try:
        async with open_pool(database, max_size=1) as pool:
            comparer = VerdictComparer(topic, pool, installed.origin, lambda: trust, clock.now)
            compared = await asyncio.wait_for(comparer.compare(), _BROKER_SECONDS)
    except NotAStatement as error:
        return DoctorFinding("verdicts", "bad", str(error), "read the log of the monitor, and who may write its topic")
    except (BrokerUnavailable, RecordBroken, TimeoutError) as error:
        return DoctorFinding("verdicts", "bad", f"cannot be read: {error}", start_advice("the broker"))
    except UNREACHABLE as error:
        return DoctorFinding("verdicts", "bad", f"cannot be read: {error}", start_advice("PostgreSQL"))
    finally:
        await topic.close()
    return _finding(compared)


def _finding(compared: ComparedVerdicts | None) -> DoctorFinding:
    if compared is None:
        return DoctorFinding(
            "verdicts",
            "slow",
            "none of the monitor that the timeline has reached",
            "read its log if it lasts",
        )
    place = f"on {compared.size} entries, by version {compared.rules} of the rules"
    if compared.comparison is VerdictComparison.SAME:
        return DoctorFinding("verdicts", "ok", f"timeline and monitor have the same {place}")
    if compared.is_alarming:
        return DoctorFinding(
            "verdicts",
            "bad",
            f"the timeline has others than the monitor {place}",
            "the database was changed, or one of the two judges falsely: `handoff projection rebuild` compares",
        )
    return DoctorFinding(
        "verdicts",
        "slow",
        f"timeline and monitor cannot be compared {place}: other rules or redactions",
        "restart the monitor after a redaction; if it lasts, treat it as a difference",
    )
