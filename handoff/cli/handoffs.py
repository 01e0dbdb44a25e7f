"""`handoff handoffs`: how long handoffs wait, and for whom."""

import asyncio
from dataclasses import asdict
from typing import Any

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures


def handoffs(state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Show per service and urgency: count, p50, p90, the oldest open one, and each segment."""
    from handoff.cli.tables import handoff_table

    figures = asyncio.run(_read(state))
    document = {"handoffs": [asdict(row) for row in figures], "unit": "seconds"}
    emit(document, lambda console: console.print(handoff_table(figures)), as_json=as_json)


async def _read(state: Any) -> Any:
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline import handoff_figures

    with failures():
        return await handoff_figures(InstallationSettings(state))
