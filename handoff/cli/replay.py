"""`handoff replay CASE`: a case as it was at any moment, and what an auditor asks of it."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import typer

from handoff import clock
from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, fail, failures
from handoff.cli.timeline import CaseArgument

_WRONG_USAGE = 2

MomentOption = Annotated[
    str, typer.Option("--as-of", help="The moment, with its zone (ISO 8601), by the record's clock.", metavar="MOMENT")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--diff", help="Show what changed between this moment and that of --as-of.", metavar="FROM"),
]
ViewOption = Annotated[
    str | None, typer.Option("--view", help="One question, by its name; without it, a line for each.", metavar="NAME")
]
AgencyOption = Annotated[str | None, typer.Option("--agency", help="Only what concerns this institution.")]


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
    """Replay a case as it was: an auditor's questions one by one, or what changed between two moments.

    The operator's view of a trial; an audit's own reads are recorded. Ends with 2 if the question is wrong.
    """
    from handoff.views.replay.refused import QuestionRefused

    if diff is not None and view is not None:
        fail("view: --view and --diff ask for two things at once", _WRONG_USAGE)
    try:
        answered = _Asked(case, as_of, diff, view, agency).answer(state)
    except QuestionRefused as error:
        fail(str(error), _WRONG_USAGE)
    emit(answered.document(), answered.draw, as_json=as_json)


class _Asked:
    """What is asked on the command line. Raises QuestionRefused where it makes no sense."""

    def __init__(self, case: Any, as_of: str, since: str | None, view: str | None, agency: str | None) -> None:
        from handoff.views.replay.moments import moment_of
        from handoff.views.replay.questions import question

        now = clock.now()
        self.case, self.view, self.agency = case, view, agency
        self.moment: datetime = moment_of(as_of, now)
        self.since = moment_of(since, now, "from") if since is not None else None
        if view is not None:
            question(view)

    def answer(self, state: Any) -> Any:
        """The answer, ready to be drawn or dumped."""
        from handoff.cli.replay_output import Comparison, Single, Summary
        from handoff.views.replay.diff import diff
        from handoff.views.replay.questions import ask, of_member

        history = asyncio.run(_read(self.case, state))
        if not history.own:
            fail(f"case: the record holds nothing about {self.case}")
        if self.since is not None:
            agency = of_member(history, self.agency)
            return Comparison(self.case, diff(history, self.since, self.moment).of(agency))
        if self.view is not None:
            return Single(self.case, self.view, ask(history, self.view, self.moment, self.agency))
        return Summary.of(history, self.moment, self.agency)


async def _read(case: Any, state: Any) -> Any:
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.timeline import history_of

    with failures():
        return await history_of(InstallationSettings(state), case)
