"""`handoff timeline CASE`: the entries of the record about a case."""

import asyncio
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, fail, failures
from handoff.record.uuid_text import parse_uuid


def _case_id(text: str) -> UUID:
    try:
        return parse_uuid(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


CaseArgument = Annotated[UUID, typer.Argument(parser=_case_id, metavar="CASE", help="Id of the case.")]


def timeline(case: CaseArgument, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Show a case's timeline. This is the operator's view; only reads through the audit are recorded."""
    from handoff.cli.table_output import timeline_table
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline import timeline_of

    with failures():
        entries = asyncio.run(timeline_of(InstallationSettings(state), case))
    if not entries:
        fail(f"the record has no entry about case {case}")
    document = {"case": case, "entries": [asdict(entry) for entry in entries]}
    emit(document, lambda console: console.print(timeline_table(case, entries)), as_json=as_json)
