"""`handoff replay CASE`: a case as it was at any moment, and answers to an auditor's questions."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from handoff import clock
from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, fail, failures
from handoff.cli.timeline import CaseArgument

if TYPE_CHECKING:
    from handoff.cli.replay_output import Comparison, Single, Summary
    from handoff.views.replay.history import History

_WRONG_USAGE = 2

MomentOption = Annotated[
    str, typer.Option("--as-of", help="Moment by the record's clock, with its zone (ISO 8601).", metavar="MOMENT")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--diff", help="Show the changes between this moment and that of --as-of.", metavar="FROM"),
]
ViewOption = Annotated[
    str | None,
    typer.Option("--view", help="Name of one question. Default: a line for each question.", metavar="NAME"),
]
AgencyOption = Annotated[str | None, typer.Option("--agency", help="Show only the rows about this institution.")]


def replay(
    case: CaseArgument,
    as_of: MomentOption = "now",
    diff: SinceOption = None,
    view: ViewOption = None,
    agency: AgencyOption = None,
    *,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """Replay a case: answer one or all of an auditor's questions, or show the changes between two moments.

    This is the operator's view; only reads through the audit are recorded. Exits with 2 if the question is wrong.
    """
    from handoff.views.replay.moments import moment_of
    from handoff.views.replay.questions import question
    from handoff.views.replay.refused import QuestionRefused

    if diff is not None and view is not None:
        fail("view: --view and --diff exclude each other", _WRONG_USAGE)
    try:
        now = clock.now()
        moment = moment_of(as_of, now)
        since = moment_of(diff, now, "from") if diff is not None else None
        if view is not None:
            question(view)
        answer = _answer(_history(case, state), moment, since, view, agency)
    except QuestionRefused as error:
        fail(str(error), _WRONG_USAGE)
    emit(answer.document(), answer.draw, as_json=as_json)


def _history(case: UUID, state: Path) -> "History":
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline import history_of

    with failures():
        history = asyncio.run(history_of(InstallationSettings(state), case))
    if not history.own:
        fail(f"case: the record has no entry about {case}")
    return history


def _answer(
    history: "History", moment: datetime, since: datetime | None, view: str | None, agency: str | None
) -> "Comparison | Single | Summary":
    """Answer to the request. Raises QuestionRefused."""
    from handoff.cli.replay_output import Comparison, Single, Summary
    from handoff.views.replay.diff import diff
    from handoff.views.replay.questions import ask, of_member

    if since is not None:
        member = of_member(history, agency)
        return Comparison(history.case_id, diff(history, since, moment).of(member))
    if view is not None:
        return Single(history.case_id, view, ask(history, view, moment, agency))
    return Summary.of(history, moment, agency)
