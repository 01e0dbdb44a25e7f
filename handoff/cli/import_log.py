"""`handoff import FILE`: past handovers from an event log, as a baseline beside the figures of the record."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from handoff import clock
from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures, progress_bar

if TYPE_CHECKING:
    from handoff.adapters.postgres.past_handover_store import ImportReport

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Event log: .csv or .xes, also with .gz.", exists=True, dir_okay=False)
]
MappingOption = Annotated[
    Path, typer.Option("--mapping", help="TOML file that gives the meaning of the log's columns and activities.")
]
MemberOption = Annotated[str, typer.Option("--as", help="Member whose database has the baseline: the coordinator.")]
ReplaceFlag = Annotated[
    bool, typer.Option("--replace", help="Delete a former import of the same name from another file or mapping.")
]


def import_log(
    file: FileArgument,
    mapping: MappingOption,
    state: StateOption = DEFAULT_STATE,
    member: MemberOption = "coordination",
    *,
    replace: ReplaceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Import past handovers from an event log into the coordinator's own database. Nothing goes onto the record.

    An import that was interrupted continues where it stopped; a repeated one changes nothing. Every event is counted as
    imported or as refused, with its reason. Exits with 0 if the file is imported, also if events are refused.
    """
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.past_handovers.importer import import_past_handovers
    from handoff.operations.past_handovers.mapping import read_mapping

    with failures(), progress_bar() as bar:
        task = bar.add_task("", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        settings = InstallationSettings(state).node(member).postgres
        read = read_mapping(mapping)
        report = asyncio.run(import_past_handovers(settings, file, read, clock.now(), show, replace=replace))
    emit(asdict(report), lambda console: _draw(console, report), as_json=as_json)


def _draw(console: Console, report: "ImportReport") -> None:
    console.print(f"{report.name}: {report.events} events, {report.imported} imported, {report.handovers} handovers")
    for each in report.refused:
        console.print(f"  {each.count} refused: {each.reason} (first: events {', '.join(map(str, each.examples))})")
    console.print("Show the figures with: handoff baseline")
