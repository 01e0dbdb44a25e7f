"""`handoff pack QUARTER`: the figures of a quarter as files to take away."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from handoff import clock
from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, fail, failures, progress

if TYPE_CHECKING:
    from handoff.operations.quarterly_pack.write import WrittenPack

_WRONG_USAGE = 2

QuarterArgument = Annotated[str, typer.Argument(metavar="QUARTER", help="Quarter of a year, such as 2026-Q3.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="New directory. Default: pack-QUARTER.", show_default=False)
]
AsOfOption = Annotated[
    str,
    typer.Option("--as-of", help="Record time of an earlier pack, to make it again (ISO 8601).", metavar="MOMENT"),
]


def pack(
    quarter: QuarterArgument,
    output: OutputOption = None,
    state: StateOption = DEFAULT_STATE,
    as_of: AsOfOption = "now",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write the published figures of a quarter: CSV tables with definitions, and an accessible PDF report.

    Small cells are hidden. The same record and --as-of give the same bytes. Exits with 2 if the question is wrong.
    """
    from handoff.config import DEFAULT_TIME_ZONE, jurisdiction_plan
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.quarterly_pack.write import read_contents, write_pack
    from handoff.views.figures.period import Quarter
    from handoff.views.replay.moments import moment_of
    from handoff.views.replay.refused import QuestionRefused

    with failures():
        installed = InstallationSettings(state)
        plan = jurisdiction_plan(installed.directory / "plan.toml")
        zone = plan.calendars.zone if plan.calendars is not None else DEFAULT_TIME_ZONE
        try:
            chosen = Quarter.parse(quarter, ZoneInfo(zone))
            moment = None if as_of == "now" else moment_of(as_of, clock.now())
        except ValueError as error:
            fail(f"quarter: {quarter!r} {error}", _WRONG_USAGE)
        except QuestionRefused as error:
            fail(str(error), _WRONG_USAGE)
        progress("reading the record's handoffs, computing figures and hiding small cells")
        contents = asyncio.run(read_contents(installed.timeline_reader, plan, chosen, moment))
        written = write_pack(contents, output or Path(f"pack-{chosen}"))
    emit(asdict(written), lambda console: _draw(console, written), as_json=as_json)


def _draw(console: Console, written: "WrittenPack") -> None:
    console.print(f"{written.directory}: {written.quarter} as of {written.as_of.isoformat()}")
    console.print(f"SHA-256 of its list of hashes: {written.sha256}")
    if written.silent:
        console.print(f"Missing, because nothing is on the record: {', '.join(written.silent)}")
