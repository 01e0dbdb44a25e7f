"""`handoff projection …`: the timeline's maker."""

import asyncio
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import FAILED, JsonFlag, counting, emit, fail, failures

app = typer.Typer(no_args_is_help=True)


@app.callback()
def projection() -> None:
    """The timeline's maker."""


@app.command()
def rebuild(state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Make the timeline again from the record, compare it byte for byte, and put it in place.

    Ends with 0 if both were the same. If not, what was replaced is kept as the schema timeline_replaced.
    """
    report = asyncio.run(_rebuild(state))
    document = {**asdict(report), "identical": report.is_identical}
    emit(document, lambda console: _draw(console, report), as_json=as_json)
    if not report.is_identical:
        raise typer.Exit(FAILED)


async def _rebuild(state: Any) -> Any:
    from handoff.adapters.kafka.client import BrokerUnavailable
    from handoff.adapters.kafka.record_reader import RecordBroken
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline_rebuild import RebuildRefused, rebuild
    from handoff.record.topics import PROJECTION

    with failures(), counting() as bar:
        installed = InstallationSettings(state)
        settings = installed.process(PROJECTION).model_copy(update={"postgres": installed.projection_as("owner")})
        task = bar.add_task("entries folded", total=None)
        try:
            return await rebuild(settings, lambda done, total: bar.update(task, completed=done, total=total))
        except (RebuildRefused, RecordBroken, BrokerUnavailable) as error:
            fail(str(error))


def _draw(console: Console, report: Any) -> None:
    table = Table(title=f"The timeline, made again up to offset {report.next_offset}", title_justify="left")
    for column in ("table", "rows", "SHA-256 as the record gives it", "as it was found"):
        table.add_column(column)
    for row in report.tables:
        found = "the same" if row.is_identical else f"[red]differs[/]: {row.found.rows} rows, {row.found.sha256[:16]}…"
        table.add_row(row.name, str(row.rebuilt.rows), f"{row.rebuilt.sha256[:16]}…", found)
    console.print(table)
