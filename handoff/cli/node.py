"""`handoff node …`: operator commands for a node."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import FAILED, JsonFlag, emit, fail, failures

if TYPE_CHECKING:
    from handoff.adapters.files.answered_commands import AnsweredCommand
    from handoff.node.inbox.rebuild import InboxRebuildReport

app = typer.Typer(no_args_is_help=True)
relay = typer.Typer(no_args_is_help=True)
witness = typer.Typer(no_args_is_help=True)
app.add_typer(relay, name="relay", help="Pause or resume the publishing of a node's events.")
app.add_typer(witness, name="witness", help="Operate the witness of a node or of the monitor.")

Member = Annotated[str, typer.Argument(help="Id of the member, as in the plan.")]
LogOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--log",
        help="Log of the node (JSON lines), which lists answered commands. Default: the log in the state directory.",
        show_default=False,
        exists=True,
        dir_okay=False,
    ),
]


@relay.command()
def pause(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Pause a node's relay. The node still stores commands."""
    _set_relay(member, state, paused=True, as_json=as_json)


@relay.command()
def resume(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Resume a node's relay."""
    _set_relay(member, state, paused=False, as_json=as_json)


def _set_relay(member: str, state: Path, *, paused: bool, as_json: bool) -> None:
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.node_recovery import pause_relay

    with failures():
        asyncio.run(pause_relay(InstallationSettings(state).node(member).postgres, paused=paused))
    word = "paused" if paused else "running"
    emit({"member": member, "relay": word}, lambda console: console.print(f"{member}: relay {word}"), as_json=as_json)


@witness.command()
def adopt(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Set a witness whose database was lost or restored to the largest tree head that it has cosigned.

    Stop its process first, and start it afterwards. docs/runbook.md lists the checks to do before.
    """
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.node_recovery import adopt_witness

    with failures():
        before, after = asyncio.run(adopt_witness(InstallationSettings(state).process(member)))
    sentence = f"{member}: continues from size {after.size}; its database had size {before.size}"
    document = {"member": member, "before": before.size, "after": after.size}
    emit(document, lambda console: console.print(sentence), as_json=as_json)


@app.command()
def rebuild(
    member: Member, state: StateOption = DEFAULT_STATE, log: LogOption = None, *, as_json: JsonFlag = False
) -> None:
    """Fold a node's inbox again, up to the topic's end, and compare the result byte for byte with the stored one.

    Exits with 0 if both are equal. Lists the events that are only in the node's outbox, and those that its log reports
    as stored and that its database no longer has.
    """
    from handoff.adapters.kafka.record_reader import RecordBroken
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.node_recovery import recover_node

    with failures():
        installed = InstallationSettings(state)
        lines = _lines(log, installed.directory, member)
        try:
            report, lost = asyncio.run(recover_node(installed.node(member), lines))
        except RecordBroken as error:
            fail(f"the inbox topic of {member} lost entries: {error}")
    document = {
        "member": member,
        **asdict(report),
        "identical": report.identical,
        "lost": [asdict(one) for one in lost],
    }
    emit(document, lambda console: _draw(console, member, report, lost), as_json=as_json)
    if not report.identical:
        raise typer.Exit(FAILED)


@app.command()
def skip(
    member: Member,
    offset: Annotated[int, typer.Argument(help="Offset in the inbox topic, as `handoff doctor` shows it.", min=0)],
    state: StateOption = DEFAULT_STATE,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Let a stopped inbox continue after an entry that the exchange did not sign.

    Find out first where the entry came from: docs/runbook.md, *An inbox has stopped*. Restart the node afterwards.
    """
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.node_recovery import skip_entry

    with failures():
        asyncio.run(skip_entry(InstallationSettings(state).node(member), offset))
    sentence = f"{member}: the inbox continues after offset {offset}. Restart the node."
    emit({"member": member, "skipped": offset}, lambda console: console.print(sentence), as_json=as_json)


def _lines(logs: list[Path] | None, directory: Path, member: str) -> Iterator[str]:
    """Lines of ``logs``, or of the member's log in the state directory, with its renamed files."""
    from handoff.adapters.files.log_files import log_files

    for path in logs if logs is not None else log_files(directory / "logs" / f"{member}.log"):
        with path.open(errors="replace") as lines:
            yield from lines


def _draw(console: Console, member: str, report: "InboxRebuildReport", lost: "Sequence[AnsweredCommand]") -> None:
    same = Text("equal to the stored result" if report.identical else "different from the stored result")
    same.stylize("" if report.identical else "red")
    console.print(Text.assemble(f"{member}: {report.entries} stored entries folded again; ", same, "."))
    console.print(f"  {report.caught_up} more read from the inbox topic; {report.cases} cases.")
    for event in report.unpublished:
        console.print(Text.assemble("  ", ("not on the record yet:", "yellow"), f" {event}"))
    for one in lost:
        word = ("missing here; it was sent and may still arrive:", "yellow") if one.sent else ("lost:", "red")
        found = f" {one.event}, stored at {one.at} by request {one.request}: POST {one.route}"
        console.print(Text.assemble("  ", word, found))
