"""A trial's broker and database without its services, for work that needs a standstill."""

from collections.abc import Iterator
from contextlib import contextmanager

from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.session import MaintenanceSession
from handoff.trial.trial import Trial


@contextmanager
def maintenance_session(trial: Trial) -> Iterator[MaintenanceSession]:
    """The parts of ``trial``, started where they do not run, and stopped again."""
    try:
        trial.start_parts()
        yield standstill(trial)
    finally:
        trial.stop()


def standstill(trial: Trial) -> MaintenanceSession:
    """What an operator works on in ``trial``, whose parts run."""
    installed = InstallationSettings(trial.directory)
    return MaintenanceSession(
        kafka=trial.jurisdiction.kafka,
        postgres=trial.jurisdiction.postgres,
        members=trial.jurisdiction.members,
        processes={settings.member: settings for settings in installed.processes},
        owner=installed.projection_as("owner"),
        copies=trial.directory / "copies",
    )
