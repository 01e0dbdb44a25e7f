"""`handoff handoffs`: waiting times of handoffs, by service and urgency."""

import asyncio
from dataclasses import asdict

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures


def handoffs(state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Show count, p50, p90, the oldest open handoff and the median of each segment, by service and urgency."""
    from handoff.cli.table_output import handoff_table
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline import handoff_figures

    with failures():
        figures = asyncio.run(handoff_figures(InstallationSettings(state)))
    document = {"handoffs": [asdict(row) for row in figures], "unit": "seconds"}
    emit(document, lambda console: console.print(handoff_table(figures)), as_json=as_json)
