"""``handoff replay`` names the part of a question that is wrong, and draws every answer."""

import json
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from handoff.cli.replay import replay
from handoff.cli.replay_output import Comparison, Single, Summary
from handoff.record.codes import EndScope
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.diff import diff
from handoff.views.replay.history import History, history
from handoff.views.replay.moments import moment_of
from handoff.views.replay.questions import QUESTIONS, ask
from handoff.views.replay.refused import QuestionRefused
from tests.support.dsl import spec
from tests.support.dsl.eventful_case import eventful_record
from tests.support.dsl.spec import CASE, HOUR, MINUTE, POLICE, REFERRAL, SHELTER, T0, Sent, given
from tests.support.parts.replayed import replayed

app = typer.Typer()
app.command()(replay)

END = T0 + HOUR


def case() -> History:
    """A request that was delivered, then withdrawn, then accepted without effect."""
    delivered = Sent(SHELTER, r.ReferralDelivered(referral=REFERRAL), MINUTE)
    withdrawn = Sent(POLICE, c.ReleaseWithdrawn(scope=EndScope.ALL), MINUTE)
    record = given(spec.requested(), delivered, withdrawn).record
    record.send(Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL)))
    return replayed(record)


def drawn(answer: Single | Comparison | Summary) -> str:
    page = StringIO()
    answer.draw(Console(file=page, width=200))
    return page.getvalue()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--view", "gossip"], "view: no view is named 'gossip'; use one of as_of, waits"),
        (["--as-of", "yesterday"], "as_of: 'yesterday' is not a time"),
        (["--as-of", "2026-01-05T23:40:00"], "as_of: '2026-01-05T23:40:00' has no zone"),
        (["--as-of", "2199-01-05T23:40:00Z"], "as_of: '2199-01-05T23:40:00Z' is in the future"),
        (["--diff", "never"], "from: 'never' is not a time"),
        (["--diff", "now", "--view", "waits"], "view: --view and --diff"),
    ],
)
def test_a_question_that_makes_no_sense_ends_with_2_and_names_what_is_wrong(
    arguments: list[str], named: str, tmp_path: Path
) -> None:
    """Before anything is read."""
    result = CliRunner().invoke(app, [str(CASE), "--state", str(tmp_path), *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert named in " ".join(result.output.split())


def test_a_command_without_an_installation_reports_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(CASE), "--state", str(tmp_path)])
    assert result.exit_code == 2
    assert "no installation found" in result.output


@pytest.mark.parametrize("view", QUESTIONS)
def test_every_question_has_an_answer_that_can_be_read_and_dumped(view: str) -> None:
    """The question is printed above its answer; the JSON document has the same content."""
    answer = Single(CASE, view, ask(case(), view, END))
    assert QUESTIONS[view].asks in drawn(answer)
    assert json.loads(json.dumps(answer.document(), default=str))["answer"]["count"] == answer.answer.count


def test_the_summary_answers_all_questions_in_a_line_each() -> None:
    summary = Summary.of(case(), END, None)
    page = drawn(summary)
    assert all(name in page for name in QUESTIONS)
    assert "ineffective entries: 1; sender not notified: 0" in page
    assert [line["view"] for line in summary.document()["questions"]] == list(QUESTIONS)


def test_waits_are_drawn_as_bars() -> None:
    """The unseen minute follows the minute of transport."""
    page = drawn(Single(CASE, "waits", ask(case(), "waits", END)))
    transport, unseen = (line for line in page.splitlines() if "emergency" in line)
    assert transport.index("█") < unseen.index("█")


def test_a_difference_is_drawn_with_the_states_that_it_led_between() -> None:
    found = case()
    page = drawn(Comparison(CASE, diff(found, T0 + 2 * MINUTE, END)))
    assert "release.withdrawn" in page
    assert "referral.requested" not in page
    assert any("requested" in line and "revoked" in line for line in page.splitlines())
    assert "no entry in between" in drawn(Comparison(CASE, diff(found, END, END)))


def test_an_unknown_case_and_an_unknown_agency_are_refused_by_name() -> None:
    with pytest.raises(QuestionRefused) as no_case:
        ask(history(UUID(int=0), ()), "waits", END)
    with pytest.raises(QuestionRefused) as no_agency:
        ask(case(), "waits", END, "choir")
    assert (no_case.value.field, no_agency.value.field) == ("case", "agency")


def test_a_moment_is_read_in_its_zone() -> None:
    """Prizren's wall clock is an hour ahead of UTC in winter."""
    assert moment_of("2026-01-05T23:40:00+01:00", END) == T0
    assert moment_of("now", END) == END


def example() -> str:
    """Return the drawing of docs/replay.md: the eventful record on a terminal of 132 columns."""
    record = eventful_record()
    replayed_case = replayed(
        record, CheckpointStatus("handoff/prizren/record/1", 64, record.now, ("monitor", POLICE), is_witnessed=True)
    )
    page, moment = StringIO(), record.now + HOUR
    console = Console(file=page, width=132)
    Summary.of(replayed_case, moment, None).draw(console)
    for view in ("waits", "reads"):
        console.print()
        Single(CASE, view, ask(replayed_case, view, moment)).draw(console)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def test_the_docs_show_what_the_command_draws() -> None:
    """If this fails, put what ``example`` gives into docs/replay.md, between the fences."""
    written = (Path(__file__).parents[3] / "docs" / "replay.md").read_text(encoding="utf-8")
    assert example().strip() == written.split("```text\n")[1].split("\n```")[0].strip()
