"""A trial's broker and database without its services, for work that needs a standstill."""

from collections.abc import Iterator
from contextlib import contextmanager

from handoff.maintenance.installed import Installed
from handoff.maintenance.session import Standstill
from handoff.trial.trial import Trial


@contextmanager
def standing_still(trial: Trial) -> Iterator[Standstill]:
    """The parts of ``trial``, started where they do not run, and stopped again."""
    try:
        trial.start_parts()
        yield standstill(trial)
    finally:
        trial.stop()


def standstill(trial: Trial) -> Standstill:
    """What an operator works on in ``trial``, whose parts run."""
    installed = Installed(trial.directory)
    return Standstill(
        kafka=trial.jurisdiction.kafka,
        postgres=trial.jurisdiction.postgres,
        members=trial.jurisdiction.members,
        processes={settings.member: settings for settings in installed.processes},
        owner=installed.projection_as("owner"),
        copies=trial.directory / "copies",
    )
