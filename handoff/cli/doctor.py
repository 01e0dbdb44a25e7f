"""`handoff doctor`: checks of reachability, lag and configuration, with the action to take."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import FAILED, JsonFlag, emit, failures

if TYPE_CHECKING:
    from handoff.operations.doctor.findings import DoctorFinding

_STYLES = {"ok": "green", "slow": "yellow", "bad": "red", "unchecked": "dim"}


def doctor(state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Check every part of an installation. Exits with 0 if all checks pass, with 1 if an action is needed."""
    from handoff.operations.doctor.examination import examine_installation
    from handoff.operations.doctor.findings import is_healthy
    from handoff.operations.installation_settings import InstallationSettings

    with failures():
        findings = asyncio.run(examine_installation(InstallationSettings(state)))
    healthy = is_healthy(findings)
    document = {"healthy": healthy, "findings": [asdict(finding) for finding in findings]}
    emit(document, lambda console: _draw(console, findings), as_json=as_json)
    if not healthy:
        raise typer.Exit(FAILED)


def _draw(console: Console, findings: "Sequence[DoctorFinding]") -> None:
    table = Table(title="Findings", title_justify="left")
    for column in ("part", "state", "finding", "action"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(finding.part, Text(finding.state, _STYLES[finding.state]), finding.finding, finding.advice)
    console.print(table)
