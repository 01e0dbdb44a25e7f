"""`handoff baseline`: waiting times of imported past handovers, apart from those of the record."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from handoff.cli.import_log import MemberOption
from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures

if TYPE_CHECKING:
    from handoff.operations.past_handovers.baseline import Baseline

_NOTE = "Imported past handovers: times are claims of the imported log. They are in no figure of the record."


def baseline(
    state: StateOption = DEFAULT_STATE, member: MemberOption = "coordination", *, as_json: JsonFlag = False
) -> None:
    """Show waiting times of imported past handovers, by import and by the units between which work was handed over."""
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.past_handovers.baseline import baselines

    with failures():
        found = asyncio.run(baselines(InstallationSettings(state).node(member).postgres))
    document = {"baselines": [asdict(each) for each in found], "unit": "seconds", "note": _NOTE}
    emit(document, lambda console: _draw(console, found), as_json=as_json)


def _draw(console: Console, found: "list[Baseline]") -> None:
    from handoff.cli.table_output import span_words

    for each in found:
        table = Table("from", "to", "handovers", "answered p50", "p90", "open", "ended p50", "p90", title=each.name)
        for row in each.figures:
            answered, ended = row.until_answered, row.until_ended
            table.add_row(
                row.source or "(not in the log)",
                row.target or "(not in the log)",
                str(answered.count),
                span_words(answered.p50),
                span_words(answered.p90),
                str(answered.open),
                span_words(ended.p50),
                span_words(ended.p90),
            )
        console.print(table)
    console.print(_NOTE if found else "No past handovers are imported. Import some with: handoff import FILE")
