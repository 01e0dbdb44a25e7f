"""`handoff timeline CASE`: what stands on the record about a case."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, fail, failures

CaseArgument = Annotated[UUID, typer.Argument(help="The case's id.")]


def timeline(case: CaseArgument, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Show a case's timeline: the operator's view of a trial, until audited access comes."""
    from handoff.cli.tables import timeline_table

    entries = asyncio.run(_read(case, state))
    if not entries:
        fail(f"the record holds nothing about case {case}")
    document = {"case": case, "entries": [asdict(entry) for entry in entries]}
    emit(document, lambda console: console.print(timeline_table(case, entries)), as_json=as_json)


async def _read(case: UUID, state: Any) -> Any:
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline import timeline_of

    with failures():
        return await timeline_of(InstallationSettings(state), case)
