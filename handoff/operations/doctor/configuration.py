"""Checks of the files: one trust anchor, readable configurations, and one configuration for each planned process."""

from collections.abc import Iterator
from pathlib import Path

from handoff.config import ConfigurationError, jurisdiction_plan
from handoff.operations.doctor.findings import DoctorFinding
from handoff.operations.doctor.readable_settings import ReadableSettings
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION

_INIT = "run `handoff init`"


def configuration_findings(settings: ReadableSettings) -> Iterator[DoctorFinding]:
    """Check the files of an installation."""
    for path, error in settings.unreadable.items():
        yield DoctorFinding(path.stem, "bad", str(error), f"correct {path}, or {_INIT}, which writes it again")
    anchors = {process.genesis_sha256 for process in settings.processes}
    if len(anchors) > 1:
        yield DoctorFinding("trust anchor", "bad", "the configurations disagree on genesis_sha256", f"{_INIT} again")
    elif anchors:
        yield DoctorFinding("trust anchor", "ok", f"all configurations name {anchors.pop()[:16]}…")
    yield from _missing(settings)


def _missing(settings: ReadableSettings) -> Iterator[DoctorFinding]:
    """Check that each planned process has a configuration, where the files are those of a whole installation."""
    plan = settings.directory / "plan.toml"
    configured = {process.member for process in settings.processes} | {path.stem for path in settings.unreadable}
    if settings.is_one_process or not plan.exists() or EXCHANGE not in configured:
        return
    try:
        members = jurisdiction_plan(plan).members
    except ConfigurationError as error:
        yield DoctorFinding("plan", "bad", str(error), f"correct {plan}")
        return
    planned = (EXCHANGE, PROJECTION, MONITOR, *(member.id for member in members if member.service is not None))
    for process in planned:
        if process not in configured:
            yield DoctorFinding(process, "bad", f"is planned and has no configuration in {_folder(settings)}", _INIT)


def _folder(settings: ReadableSettings) -> Path:
    return settings.files[0].parent
