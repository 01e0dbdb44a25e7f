"""`handoff handoffs`: waiting times of handoffs, by service and urgency."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures
from handoff.views.latency import Grouping


def handoffs(
    state: StateOption = DEFAULT_STATE,
    *,
    by: Annotated[
        Grouping, typer.Option("--by", help="Groups: service and urgency, receiving institution, or from and to.")
    ] = Grouping.SERVICE,
    as_json: JsonFlag = False,
) -> None:
    """Show count, p50, p90, the oldest open handoff and the median of each segment, by service and urgency."""
    from handoff.cli.table_output import handoff_table
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline import handoff_figures

    with failures():
        found = asyncio.run(handoff_figures(InstallationSettings(state), by))
    figures = found.groups
    rows = [dict(zip(by.fields, row.group, strict=True)) | asdict(row) for row in figures]
    for row in rows:
        del row["group"]
    document = {"handoffs": rows, "unit": "seconds", "rules": found.rules}
    emit(document, lambda console: console.print(handoff_table(figures, by)), as_json=as_json)
