"""`handoff node …`: what an operator does to one institution's node."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import FAILED, JsonFlag, emit, fail, failures

app = typer.Typer(no_args_is_help=True)
relay = typer.Typer(no_args_is_help=True)
witness = typer.Typer(no_args_is_help=True)
app.add_typer(relay, name="relay", help="What a node sends.")
app.add_typer(witness, name="witness", help="What a node, or the monitor, cosigns.")

Member = Annotated[str, typer.Argument(help="The member's id, as in the plan.")]
LogOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--log",
        help="What the node logged (JSON lines), to name the commands that are gone with its database. Else the log "
        "that the state directory holds.",
        show_default=False,
        exists=True,
        dir_okay=False,
    ),
]


@relay.command()
def pause(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Hold back what a node sends; commands go on being stored."""
    _hold(member, state, paused=True, as_json=as_json)


@relay.command()
def resume(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Let a node send again."""
    _hold(member, state, paused=False, as_json=as_json)


def _hold(member: str, state: Any, *, paused: bool, as_json: bool) -> None:
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.node_recovery import pause_relay

    with failures():
        asyncio.run(pause_relay(InstallationSettings(state).node(member).postgres, paused=paused))
    word = "paused" if paused else "running"
    emit({"member": member, "relay": word}, lambda console: console.print(f"{member}: relay {word}"), as_json=as_json)


@witness.command()
def adopt(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Let a witness whose database was lost or restored go on from the largest head that it has cosigned.

    Stop its process before, and start it afterwards; docs/runbook.md says what to look at first.
    """
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.node_recovery import adopt_witness

    with failures():
        before, after = asyncio.run(adopt_witness(InstallationSettings(state).process(member)))
    sentence = f"{member}: goes on from size {after.size}; its database knew {before.size}"
    document = {"member": member, "before": before.size, "after": after.size}
    emit(document, lambda console: console.print(sentence), as_json=as_json)


@app.command()
def rebuild(
    member: Member, state: StateOption = DEFAULT_STATE, log: LogOption = None, *, as_json: JsonFlag = False
) -> None:
    """Fold a node's inbox again, up to the topic's end, and compare what it kept with what was folded, byte for byte.

    Ends with 0 if both were the same. Names the events that stand in this node's outbox alone, and those that its log
    says were stored and that are gone with a lost database.
    """
    from handoff.adapters.kafka.record_reader import RecordBroken
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.node_recovery import recover_node

    with failures():
        try:
            report, lost = asyncio.run(
                recover_node(InstallationSettings(state).node(member), _lines(log, state, member))
            )
        except RecordBroken as error:
            fail(f"the inbox topic of {member} has lost something: {error}")
    document = {
        "member": member,
        **asdict(report),
        "identical": report.identical,
        "lost": [asdict(one) for one in lost],
    }
    emit(document, lambda console: _draw(console, member, report, lost), as_json=as_json)
    if not report.identical:
        raise typer.Exit(FAILED)


def _lines(logs: list[Path] | None, state: Path, member: str) -> Iterator[str]:
    """The lines of ``logs``, or of the log that the trial keeps for this member."""
    kept = state / "logs" / f"{member}.log"
    for path in logs if logs is not None else [kept] if kept.exists() else []:
        with path.open(errors="replace") as lines:
            yield from lines


def _draw(console: Console, member: str, report: Any, lost: Any) -> None:
    word = "the same as before" if report.identical else "[red]not what it was before[/]"
    console.print(f"{member}: {report.entries} kept entries folded again; {word}.")
    console.print(f"  {report.caught_up} more read from the inbox topic; {report.cases} cases.")
    for event in report.unpublished:
        console.print(f"  [yellow]not on the record yet:[/] {event}")
    for one in lost:
        word = "[yellow]gone here; it was sent, and may still arrive:[/]" if one.sent else "[red]lost:[/]"
        console.print(f"  {word} {one.event}, stored at {one.at} by request {one.request}: POST {one.route}")
