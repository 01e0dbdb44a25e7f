"""Check of the newest checkpoint."""

from datetime import timedelta

from handoff import clock
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.postgres.checkpoints import newest_cosigned
from handoff.adapters.postgres.pool import open_pool
from handoff.operations.doctor.findings import UNREACHABLE, DoctorFinding, start_advice
from handoff.operations.installation_settings import InstallationSettings, SettingsNotFound

_CADENCES = 3
"""Number of cadences without a cosigned checkpoint from which the newest one counts as old."""


async def checkpoint_finding(installed: InstallationSettings) -> DoctorFinding:
    """Check size and age of the newest checkpoint that enough cosigners have signed."""
    try:
        checkpoints, database = installed.checkpoints, installed.timeline_reader
    except SettingsNotFound as error:
        return DoctorFinding("checkpoint", "unchecked", str(error))
    origin = installed.origin
    trust = trusted(checkpoints, origin)
    try:
        async with (
            open_pool(database, max_size=1) as pool,
            pool.acquire() as connection,
            connection.transaction(readonly=True),
        ):
            newest = await newest_cosigned(connection, origin, trust)
    except UNREACHABLE as error:
        return DoctorFinding("checkpoint", "bad", f"cannot be read: {error}", start_advice("PostgreSQL"))
    if newest is None or newest.proven_at is None:
        return DoctorFinding(
            "checkpoint", "slow", "none has enough cosignatures yet", "wait; if it lasts, read the cosigners' logs"
        )
    proven = f"size {newest.opened.head.size}, cosigned at {newest.proven_at:%Y-%m-%d %H:%M:%S} UTC"
    if clock.now() - newest.proven_at > _CADENCES * timedelta(seconds=checkpoints.cadence_seconds):
        return DoctorFinding(
            "checkpoint", "slow", f"the newest is old: {proven}", "read the logs of the projection and the cosigners"
        )
    return DoctorFinding("checkpoint", "ok", proven)
