"""`handoff projection …`: operator commands for the projection."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import FAILED, JsonFlag, emit, failures, progress_bar

if TYPE_CHECKING:
    from handoff.operations.timeline_rebuild import TimelineRebuildReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def projection() -> None:
    """Operate the projection."""


@app.command()
def rebuild(state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Recompute the timeline from the record, compare it byte for byte, and put it in place.

    Exits with 0 if both are equal. Otherwise the replaced tables stay in the schema timeline_replaced.
    """
    report = asyncio.run(_rebuild(state))
    document = {**asdict(report), "identical": report.is_identical}
    emit(document, lambda console: _draw(console, report), as_json=as_json)
    if not report.is_identical:
        raise typer.Exit(FAILED)


async def _rebuild(state: Path) -> "TimelineRebuildReport":
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline_rebuild import rebuild
    from handoff.record.topics import PROJECTION

    with failures(), progress_bar() as bar:
        installed = InstallationSettings(state)
        settings = installed.process(PROJECTION).model_copy(update={"postgres": installed.timeline_owner})
        task = bar.add_task("entries folded", total=None)
        return await rebuild(settings, lambda done, total: bar.update(task, completed=done, total=total))


def _draw(console: Console, report: "TimelineRebuildReport") -> None:
    table = Table(title=f"Timeline recomputed up to offset {report.next_offset}", title_justify="left")
    for column in ("table", "rows", "SHA-256, recomputed", "stored"):
        table.add_column(column)
    for row in report.tables:
        differs = Text.assemble(("differs", "red"), f": {row.found.rows} rows, {row.found.sha256[:16]}…")
        stored = Text("equal") if row.is_identical else differs
        table.add_row(row.name, str(row.rebuilt.rows), f"{row.rebuilt.sha256[:16]}…", stored)
    console.print(table)
