"""`handoff doctor`: what is reachable, what lags, what is misconfigured, and what to do about it."""

import asyncio
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import FAILED, JsonFlag, emit, failures

_MARKS = {"ok": "[green]ok[/]", "slow": "[yellow]slow[/]", "bad": "[red]bad[/]"}


def doctor(state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Look at every part of an installation. Ends with 0 if all is well, with 1 if something needs doing."""
    import typer

    from handoff.operations.doctor import examine_installation
    from handoff.operations.installation_settings import InstallationSettings

    with failures():
        findings = asyncio.run(examine_installation(InstallationSettings(state)))
    healthy = all(finding.state == "ok" for finding in findings)
    document = {"healthy": healthy, "findings": [asdict(finding) for finding in findings]}
    emit(document, lambda console: _draw(console, findings), as_json=as_json)
    if not healthy:
        raise typer.Exit(FAILED)


def _draw(console: Console, findings: Any) -> None:
    table = Table(title="What the doctor found", title_justify="left")
    for column in ("part", "state", "finding", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(finding.part, _MARKS[finding.state], finding.finding, finding.advice)
    console.print(table)
